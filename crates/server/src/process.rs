//! The server as the only thing a process does: it listens, loads, answers, and ends when asked.

use std::io::{self, IsTerminal as _};
use std::net::TcpListener;
use std::time::Duration;

use crate::service::{Loaded, Service};

/// How often the engine is looked after.
const ENGINE_LOOK: Duration = Duration::from_secs(1);

/// Lets the process log to standard error, if it does not log already.
pub fn log_to_stderr() {
    let log = tracing_subscriber::fmt().with_writer(io::stderr).with_target(false);
    // Fails if the process logs already, which is as well.
    let _ = log.with_ansi(io::stderr().is_terminal()).try_init();
}

/// Serves on `listener` until the process is asked to end (Ctrl-C, SIGTERM); asked a second time,
/// it ends at once. `load` runs meanwhile, and until it is done requests are asked to come back.
/// Blocks.
///
/// # Errors
/// If loading fails, the runtime does not start, the listener fails, or the engine dies.
pub fn serve<E: From<io::Error> + Send + 'static>(
    listener: TcpListener,
    service: &Service,
    load: impl FnOnce() -> Result<Loaded, E> + Send + 'static,
) -> Result<(), E> {
    log_to_stderr();
    let runtime = runtime()?;
    let ended = runtime.block_on(async {
        listener.set_nonblocking(true)?;
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let running = tokio::spawn(service.clone().run(listener, async {
            // Dropped or used, it means the same.
            let _ = stopped.await;
        }));
        let loaded = tokio::task::spawn_blocking(load);
        tokio::select! {
            loaded = loaded => service.begin(loaded.map_err(io::Error::other)??),
            // What is loaded by then is of no use to anybody.
            () = asked_to_end() => return Ok(()),
        }
        tokio::select! {
            () = asked_to_end() => {}
            // Its panic has been printed; a supervisor may start another process.
            () = engine_lost(service) => return Err(io::Error::other("the engine has died").into()),
        }
        tokio::spawn(async {
            asked_to_end().await;
            tracing::warn!("asked a second time: ending without saying goodbye");
            std::process::exit(1);
        });
        // Nobody listens if it has ended by itself; then its error is the next thing.
        let _ = stop.send(());
        running.await.map_err(io::Error::other)?.map_err(E::from)
    });
    // A model that is still loading is not waited for.
    runtime.shutdown_background();
    ended
}

/// One thread for all connections: a token is a few microseconds of work, and with a second thread
/// each token would wake both. What takes longer runs elsewhere.
fn runtime() -> io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("server")
        .enable_all()
        .build()
}

/// Done when the engine no longer runs.
async fn engine_lost(service: &Service) {
    while service.answers() {
        tokio::time::sleep(ENGINE_LOOK).await;
    }
}

/// Done when the process is asked to end.
async fn asked_to_end() {
    #[cfg(unix)]
    let terminated = async {
        use tokio::signal::unix::{SignalKind, signal};
        match signal(SignalKind::terminate()) {
            Ok(mut signal) => drop(signal.recv().await),
            Err(_) => std::future::pending().await,
        }
    };
    #[cfg(not(unix))]
    let terminated = std::future::pending::<()>();
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => {
            if interrupted.is_err() {
                std::future::pending::<()>().await;
            }
        }
        () = terminated => {}
    }
}
