// SPDX-License-Identifier: MIT
//! The operations of cores.c on tokio's multi-thread runtime: tokio_cores WORKERS [MS] prints
//! "key=nanoseconds" for each. All run in spawned tasks: what block_on() runs is on no worker.
//! tokio has no rendezvous channel: the smallest holds one element.

use std::future::Future;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

const BURST: usize = 100;
const BUFFERED: usize = 64;

async fn spawn_join(n: usize) {
    for _ in 0..n {
        tokio::spawn(async {}).await.unwrap();
    }
}

async fn spawn_many(n: usize) {
    for _ in 0..(n + BURST - 1) / BURST {
        let tasks: Vec<_> = (0..BURST).map(|_| tokio::spawn(async {})).collect();
        for task in tasks {
            task.await.unwrap();
        }
    }
}

async fn yield_often(n: usize) {
    for _ in 0..n {
        tokio::task::yield_now().await;
    }
}

async fn yield_two(n: usize) {
    let one = tokio::spawn(yield_often(n / 2 + 1));
    let other = tokio::spawn(yield_often(n / 2 + 1));
    one.await.unwrap();
    other.await.unwrap();
}

async fn ping_pong(n: usize) {
    let (to, mut at_echo) = mpsc::channel::<usize>(1);
    let (from, mut back) = mpsc::channel::<usize>(1);
    let echo = tokio::spawn(async move {
        for _ in 0..n {
            let value = at_echo.recv().await.unwrap();
            from.send(value).await.unwrap();
        }
    });
    let ping = tokio::spawn(async move {
        for _ in 0..n {
            to.send(1).await.unwrap();
            back.recv().await.unwrap();
        }
    });
    echo.await.unwrap();
    ping.await.unwrap();
}

async fn stream(n: usize) {
    let (to, mut from) = mpsc::channel::<usize>(BUFFERED);
    let receiver = tokio::spawn(async move {
        for _ in 0..n {
            from.recv().await.unwrap();
        }
    });
    let sender = tokio::spawn(async move {
        for i in 0..n {
            to.send(i).await.unwrap();
        }
    });
    sender.await.unwrap();
    receiver.await.unwrap();
}

/// As many as take the time; the last attempt counts.
async fn measure<F: Future<Output = ()>>(key: &str, limit: Duration, run: impl Fn(usize) -> F) {
    let mut n = 100;
    loop {
        let began = Instant::now();
        run(n).await;
        let took = began.elapsed();
        if took >= limit / 2 {
            println!("{}={:.1}", key, took.as_nanos() as f64 / n as f64);
            return;
        }
        let factor = limit.as_nanos() as f64 / (took.as_nanos() + 1) as f64;
        n = (n as f64 * factor.min(10.0)) as usize + 1;
    }
}

async fn run_all(limit: Duration) {
    measure("spawn_join_ns", limit, spawn_join).await;
    measure("spawn_many_ns", limit, spawn_many).await;
    measure("yield_ns", limit, yield_two).await;
    measure("buffered_ns", limit, ping_pong).await;
    measure("stream_ns", limit, stream).await;
}

fn argument(index: usize, default: u64) -> u64 {
    std::env::args().nth(index).map_or(default, |text| text.parse().unwrap())
}

fn main() {
    let limit = Duration::from_millis(argument(2, 300));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(argument(1, 1) as usize)
        .build()
        .unwrap();
    runtime.block_on(async { tokio::spawn(run_all(limit)).await.unwrap() });
}
