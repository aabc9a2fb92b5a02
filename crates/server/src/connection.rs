//! Connections: how many, how long a client may take, and how they end.
//!
//! A client that sends its headers too slowly, or does not take what it is sent, is let go, and with
//! it goes the job that works for it. Reading the body has a limit of its own in `service`.

use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_io_timeout::TimeoutStream;

/// Connections that are open at once; the next one waits to be accepted.
const MAX_CONNECTIONS: usize = 1024;
/// Bytes of request headers (twice as many may have been read before it shows), and of the buffer
/// that is filled for a slow reader.
const MAX_HEADER_BYTES: usize = 64 << 10;
/// How long a connection may be without a complete request: slow headers, or none.
const HEADER_PAUSE: Duration = Duration::from_mins(1);
/// How long a client may leave what it is sent unread.
const WRITE_PAUSE: Duration = Duration::from_secs(30);
/// How long connections have to end once the engine has.
const FAREWELL: Duration = Duration::from_secs(5);

/// Accepts connections and answers with `router` until `stop` is done, then lets them end.
pub(crate) async fn serve_connections(
    listener: TcpListener,
    router: Router,
    stop: impl Future<Output = ()>,
) -> io::Result<()> {
    let mut stop = pin!(stop);
    let connections = GracefulShutdown::new();
    let room = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEADER_PAUSE).max_buf_size(MAX_HEADER_BYTES);
    loop {
        let accept = async {
            let place = Arc::clone(&room).acquire_owned().await.map_err(io::Error::other)?;
            Ok::<_, io::Error>((listener.accept().await?.0, place))
        };
        let (stream, place) = tokio::select! {
            accepted = accept => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    // A client that left, or no file handles; the next one may have more luck.
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            },
            () = &mut stop => break,
        };
        // Tokens are small and late ones are noticed.
        let _ = stream.set_nodelay(true);
        let mut stream = TimeoutStream::new(stream);
        stream.set_write_timeout(Some(WRITE_PAUSE));
        let service = TowerToHyperService::new(router.clone());
        let connection = http.serve_connection(TokioIo::new(Box::pin(stream)), service);
        let connection = connections.watch(connection);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection ended early");
            }
            drop(place);
        });
    }
    drop(listener);
    // Who does not read to the end is left behind.
    let _ = tokio::time::timeout(FAREWELL, connections.shutdown()).await;
    Ok(())
}
