//! A TCP proxy that cuts connections after so many bytes in one direction.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking, as tests do"
)]

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};

/// Which way bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// To the server.
    Up,
    /// From the server.
    Down,
}

/// A proxy in front of one server. Its threads end with the connections, or with the test process.
pub struct Proxy {
    /// Where it listens on loopback.
    pub port: u16,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// Bytes that have passed to the server, and from it.
    passed: [u64; 2],
    /// The way that is cut, and how many more bytes pass before it is.
    cut: Option<(Way, u64)>,
    connections: Vec<TcpStream>,
}

impl Proxy {
    /// A proxy that cuts nothing yet.
    pub fn before(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let proxy = Self {
            port: listener.local_addr().unwrap().port(),
            state: Arc::default(),
        };
        let state = Arc::clone(&proxy.state);
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(server) = TcpStream::connect(("127.0.0.1", server)) else {
                    continue;
                };
                connect(&state, client, server);
            }
        });
        proxy
    }

    /// Cuts all connections once so many more bytes have gone this way, and those that come after them.
    pub fn cut(&self, way: Way, bytes: u64) {
        lock(&self.state).cut = Some((way, bytes));
    }

    /// Cuts nothing any more.
    pub fn mend(&self) {
        lock(&self.state).cut = None;
    }

    /// How many bytes have gone this way.
    pub fn passed(&self, way: Way) -> u64 {
        lock(&self.state).passed[way as usize]
    }
}

fn connect(state: &Arc<Mutex<State>>, client: TcpStream, server: TcpStream) {
    for (way, from, to) in [(Way::Up, &client, &server), (Way::Down, &server, &client)] {
        let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
        let state = Arc::clone(state);
        std::thread::spawn(move || pass_on(&state, way, from, to));
    }
    lock(state).connections.extend([client, server]);
}

fn pass_on(state: &Mutex<State>, way: Way, mut from: TcpStream, mut to: TcpStream) {
    let mut buffer = [0; 16 * 1024];
    loop {
        let read = from.read(&mut buffer).unwrap_or(0);
        let allowed = lock(state).allow(way, read);
        let sent = to.write_all(&buffer[..allowed]).is_ok();
        if allowed < read {
            lock(state).cut_all();
        }
        if read == 0 || allowed < read || !sent {
            // Half of a connection may end before the other.
            let _ = to.shutdown(Shutdown::Write);
            return;
        }
    }
}

impl State {
    /// How many of so many bytes may go on.
    fn allow(&mut self, way: Way, bytes: usize) -> usize {
        let bytes = match &mut self.cut {
            Some((cut, left)) if *cut == way => {
                let allowed = bytes.min(usize::try_from(*left).unwrap());
                *left -= allowed as u64;
                allowed
            }
            _ => bytes,
        };
        self.passed[way as usize] += bytes as u64;
        bytes
    }

    fn cut_all(&mut self) {
        for connection in self.connections.drain(..) {
            let _ = connection.shutdown(Shutdown::Both);
        }
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap()
}
