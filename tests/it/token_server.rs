//! A token server for the real registry: RS256 tokens as the distribution project's "Token
//! Authentication Implementation" describes them, signed with a key that the registry is told of.

#![expect(
    clippy::unwrap_used,
    reason = "what a test can't set up is a failure of that test"
)]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;
use tagwright::clock::Clock;

use crate::fake_server::{Reply, Request, Server};

/// Who the registry must believe the tokens are from.
pub const ISSUER: &str = "tests";
/// What the registry calls itself.
pub const SERVICE: &str = "test-registry";

/// `bot:s3cret`, as RFC 7617 encodes it.
const BOT: &str = "Basic Ym90OnMzY3JldA==";

/// The server, and the certificate that the registry must trust.
pub struct TokenServer {
    /// The running server, with what it was asked.
    pub server: Server,
    /// The certificate of its signing key.
    pub certificate: PathBuf,
}

impl TokenServer {
    /// Starts a server that lets `bot` push and pull everything, and anybody pull below `public/`.
    /// Makes its key in `folder` with the program `openssl`.
    pub async fn start(openssl: &Path, folder: &Path) -> Self {
        let (key, certificate) = (folder.join("token.key"), folder.join("token.crt"));
        let status = Command::new(openssl)
            .args([
                "req",
                "-x509",
                "-newkey",
                "rsa:2048",
                "-nodes",
                "-subj",
                "/CN=tests",
            ])
            .arg("-keyout")
            .arg(&key)
            .arg("-out")
            .arg(&certificate)
            .stderr(std::process::Stdio::null())
            .status()
            .unwrap();
        assert!(status.success(), "openssl makes a key");
        let signer = Arc::new(Signer::new(&key, &certificate));
        let server = Server::start(move |request, count| answer(&signer, request, count)).await;
        Self {
            server,
            certificate,
        }
    }
}

fn answer(signer: &Signer, request: &Request, count: usize) -> Reply {
    let is_bot = match request.header("authorization") {
        Some(BOT) => true,
        Some(_) => return Reply::json(401, r#"{"details":"wrong password"}"#),
        None => false,
    };
    let decoded = |scope: &str| {
        let text = scope.replace("%3A", ":").replace("%2F", "/");
        text.replace("%2C", ",")
    };
    let scopes: Vec<String> = request.queries("scope").into_iter().map(decoded).collect();
    let granted =
        scopes
            .iter()
            .filter_map(|scope| match scope.split(':').collect::<Vec<_>>()[..] {
                [kind, name, _] if is_bot => Some((kind, name, vec!["pull", "push"])),
                [kind, name, _] if name.starts_with("public/") => Some((kind, name, vec!["pull"])),
                _ => None,
            });
    let access: Vec<_> = granted
        .map(|(kind, name, actions)| serde_json::json!({"type": kind, "name": name, "actions": actions}))
        .collect();
    let now = Clock::system().now().as_second();
    let claims = serde_json::json!({
        "iss": ISSUER, "sub": "", "aud": SERVICE, "jti": count.to_string(),
        "nbf": now - 10, "iat": now, "exp": now + 300, "access": access,
    });
    let token = signer.sign(&claims);
    Reply::json(
        200,
        serde_json::json!({"token": token, "expires_in": 300}).to_string(),
    )
}

struct Signer {
    key: RsaKeyPair,
    header: String,
}

impl Signer {
    fn new(key: &Path, certificate: &Path) -> Self {
        let key = PrivateKeyDer::from_pem_file(key).unwrap();
        // What stands between the lines of a PEM file is the certificate's base64.
        let certificate: String = std::fs::read_to_string(certificate)
            .unwrap()
            .lines()
            .filter(|line| !line.starts_with("-----"))
            .collect();
        let header = serde_json::json!({"typ": "JWT", "alg": "RS256", "x5c": [certificate]});
        Self {
            key: RsaKeyPair::from_pkcs8(key.secret_der()).unwrap(),
            header: base64url(header.to_string().as_bytes()),
        }
    }

    fn sign(&self, claims: &serde_json::Value) -> String {
        let signed = format!(
            "{}.{}",
            self.header,
            base64url(claims.to_string().as_bytes())
        );
        let mut signature = vec![0; self.key.public().modulus_len()];
        let random = ring::rand::SystemRandom::new();
        self.key
            .sign(
                &RSA_PKCS1_SHA256,
                &random,
                signed.as_bytes(),
                &mut signature,
            )
            .unwrap();
        format!("{signed}.{}", base64url(&signature))
    }
}

/// Base64 with the URL alphabet and without padding (RFC 4648 section 5), as tokens use it.
fn base64url(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let mut group = [0; 3];
        group[..chunk.len()].copy_from_slice(chunk);
        let bits = u32::from_be_bytes([0, group[0], group[1], group[2]]);
        for at in 0..=chunk.len() {
            let index = (bits >> (18 - 6 * at)) & 63;
            text.push(char::from(ALPHABET[index as usize]));
        }
    }
    text
}
