//! A gate that lives in the test: it answers what a person has set, and notes what it was asked.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking, as tests do"
)]

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use tokio::sync::watch;

/// The token that it wants, where one is configured.
pub const TOKEN: &str = "t0ken-of-the-gate";

/// A question as it came: its query, and its `Authorization`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The query, unescaped.
    pub query: Vec<(String, String)>,
    /// The value of `Authorization`, if there was one.
    pub authorization: Option<String>,
}

impl Asked {
    /// The value of a query parameter.
    pub fn query(&self, name: &str) -> &str {
        let found = self.query.iter().find(|(known, _)| known == name);
        found.map_or("", |(_, value)| value.as_str())
    }
}

struct Inner {
    says: Mutex<(u16, String)>,
    asked: Mutex<Vec<Asked>>,
    /// Whether it answers at all.
    answers: watch::Sender<bool>,
}

/// A running gate, on a thread of its own; it ends with the test.
pub struct Gate {
    address: SocketAddr,
    inner: Arc<Inner>,
    folder: tempfile::TempDir,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
}

impl Gate {
    /// A gate that says yes.
    pub fn start() -> Self {
        let inner = Arc::new(Inner {
            says: Mutex::new((200, String::new())),
            asked: Mutex::default(),
            answers: watch::channel(true).0,
        });
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let app = Router::new()
            .fallback(answer)
            .with_state(Arc::clone(&inner));
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async move {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                tokio::select! {
                    _ = axum::serve(listener, app) => {}
                    _ = stopped => {}
                }
            });
        });
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("token"), format!("{TOKEN}\n")).unwrap();
        Self {
            address,
            inner,
            folder,
            stop: Some(stop),
        }
    }

    /// Its entry in the service file, with these keys more.
    pub fn entry(&self, keys: &str) -> String {
        let query = "app={app}&stage={stage}&image={image}&tag={tag}&digest={digest}";
        let url = format!("http://{}/gate?{query}", self.address);
        format!("{{name: slo, url: '{url}'{keys}}}")
    }

    /// The keys of that entry for a token.
    pub fn token(&self) -> String {
        let file = self.folder.path().join("token");
        format!(", token: {{file: '{}'}}", file.display())
    }

    /// From now on it answers with this status and body.
    pub fn says(&self, status: u16, body: &str) {
        *self.inner.says.lock().unwrap() = (status, body.to_owned());
    }

    /// Whether it answers at all from now on; what was asked meanwhile is answered then.
    pub fn answers(&self, answers: bool) {
        self.inner.answers.send_replace(answers);
    }

    /// What it was asked since this was last called.
    pub fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut *self.inner.asked.lock().unwrap())
    }

    /// How often it was asked since that was last called.
    pub fn count(&self) -> usize {
        self.asked().len()
    }

    /// How often it was asked, without forgetting that.
    pub fn so_far(&self) -> usize {
        self.inner.asked.lock().unwrap().len()
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            // The thread may have ended already.
            let _ = stop.send(());
        }
    }
}

async fn answer(State(inner): State<Arc<Inner>>, request: Request) -> Response {
    let url: reqwest::Url = format!("http://gate{}", request.uri()).parse().unwrap();
    let authorization = request.headers().get("authorization");
    let asked = Asked {
        query: url.query_pairs().into_owned().collect(),
        authorization: authorization.map(|value| value.to_str().unwrap().to_owned()),
    };
    inner.asked.lock().unwrap().push(asked);
    let mut answers = inner.answers.subscribe();
    // The sender lives as long as the test.
    let _ = answers.wait_for(|answers| *answers).await;
    let (status, body) = inner.says.lock().unwrap().clone();
    (StatusCode::from_u16(status).unwrap(), body).into_response()
}
