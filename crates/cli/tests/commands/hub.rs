//! A server with the Hub's paths and headers, which misbehaves as told.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use sha2::{Digest as _, Sha256};

/// The revision that it claims.
pub(crate) const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
/// Bytes that are sent at once.
const CHUNK: usize = 1 << 15;

/// What the server does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    Nothing,
    /// Every third part ends in its middle, without a word.
    CutsParts,
    /// Every third request is refused with this status.
    EveryThirdIs(u16),
    /// All requests are refused with this status.
    AllAre(u16),
    /// The bytes are not those of the checksum.
    SendsOtherBytes,
    /// The size is larger than any disk.
    ClaimsToBeHuge,
    /// Whole files are sent whatever part is asked for.
    IgnoresRanges,
    /// No checksum is given.
    HasNoChecksum,
}

/// A running server; it ends with the test's process.
pub(crate) struct Hub {
    pub(crate) endpoint: String,
    /// File bytes sent.
    pub(crate) sent: Arc<AtomicU64>,
    /// Milliseconds that each chunk takes.
    pub(crate) delay: Arc<AtomicU64>,
}

struct Shop {
    content: Vec<u8>,
    sha256: String,
    fault: Fault,
    n_requests: AtomicUsize,
    sent: Arc<AtomicU64>,
    delay: Arc<AtomicU64>,
}

/// Bytes without a pattern.
pub(crate) fn noise(n: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let mut byte = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as u8
    };
    (0..n).map(|_| byte()).collect()
}

impl Hub {
    pub(crate) fn start(content: Vec<u8>, fault: Fault) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let endpoint = format!("http://{}", listener.local_addr().expect("it is bound"));
        let (sent, delay) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let shop = Arc::new(Shop {
            sha256: format!("{:x}", Sha256::digest(&content)),
            content,
            fault,
            n_requests: AtomicUsize::new(0),
            sent: Arc::clone(&sent),
            delay: Arc::clone(&delay),
        });
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shop = Arc::clone(&shop);
                // A client that hangs up is no failure of the server.
                thread::spawn(move || drop(shop.answer(stream)));
            }
        });
        Self { endpoint, sent, delay }
    }
}

impl Shop {
    fn answer(&self, mut stream: TcpStream) -> std::io::Result<()> {
        let (mut path, mut range) = (String::new(), None);
        for line in BufReader::new(stream.try_clone()?).lines() {
            let line = line?;
            if line.is_empty() {
                break;
            }
            if let Some(rest) = line.strip_prefix("GET ") {
                rest.split(' ').next().unwrap_or_default().clone_into(&mut path);
            }
            let lower = line.to_ascii_lowercase();
            if let Some(wanted) = lower.strip_prefix("range: bytes=") {
                let (start, end) = wanted.split_once('-').expect("a range");
                range = Some((start.parse().expect("a start"), end.parse().expect("an end")));
            }
        }
        let n = self.n_requests.fetch_add(1, Ordering::Relaxed);
        let status = match self.fault {
            Fault::AllAre(status) => Some(status),
            Fault::EveryThirdIs(status) if n.is_multiple_of(3) => Some(status),
            _ => None,
        };
        if let Some(status) = status {
            return write!(
                stream,
                "HTTP/1.1 {status} No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            );
        }
        match range {
            _ if !path.starts_with("/bytes/") => self.redirect(&mut stream, &path),
            Some((start, end)) if self.fault != Fault::IgnoresRanges => {
                self.send(&mut stream, n, start, end)
            }
            _ => write!(
                stream,
                "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi"
            ),
        }
    }

    fn redirect(&self, stream: &mut TcpStream, path: &str) -> std::io::Result<()> {
        let size = match self.fault {
            Fault::ClaimsToBeHuge => 1_000_000_000_000_000_000,
            _ => self.content.len(),
        };
        let etag = match self.fault {
            Fault::HasNoChecksum => "W/\"1234\"".to_owned(),
            _ => format!("\"{}\"", self.sha256),
        };
        write!(
            stream,
            "HTTP/1.1 302 Found\r\nLocation: /bytes{path}\r\nX-Repo-Commit: {COMMIT}\r\n\
             X-Linked-Size: {size}\r\nX-Linked-Etag: {etag}\r\nContent-Length: 0\r\n\
             Connection: close\r\n\r\n"
        )
    }

    fn send(
        &self,
        stream: &mut TcpStream,
        n: usize,
        start: usize,
        end: usize,
    ) -> std::io::Result<()> {
        let size = self.content.len();
        let part = &self.content[start..(end + 1).min(size)];
        write!(
            stream,
            "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes {start}-{end}/{size}\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n",
            part.len()
        )?;
        let cut = self.fault == Fault::CutsParts && n.is_multiple_of(3);
        let part = if cut { &part[..part.len() / 2] } else { part };
        for chunk in part.chunks(CHUNK) {
            thread::sleep(Duration::from_millis(self.delay.load(Ordering::Relaxed)));
            if self.fault == Fault::SendsOtherBytes {
                stream.write_all(&vec![0; chunk.len()])?;
            } else {
                stream.write_all(chunk)?;
            }
            self.sent.fetch_add(chunk.len() as u64, Ordering::Relaxed);
        }
        Ok(())
    }
}
