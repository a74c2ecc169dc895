//! What a cycle costs: requests cost money and time, so they are counted.

use std::collections::BTreeMap;

use crate::support::pair::Pair;

/// Of a list of requests how many there are of each kind.
fn counted(requests: Vec<String>) -> BTreeMap<String, usize> {
    let mut counted = BTreeMap::new();
    for request in requests {
        *counted.entry(request).or_default() += 1;
    }
    counted
}

fn expected(counts: &[(&str, usize)]) -> BTreeMap<String, usize> {
    counts.iter().map(|(request, count)| ((*request).to_owned(), *count)).collect()
}

#[tokio::test]
async fn a_publish_of_nothing_new_lists_the_snapshots_and_reads_each() {
    let pair = Pair::new("kuma-v2", "kuma-v2-fresh").await;
    pair.publish().await;
    pair.requests();
    pair.publish().await;
    assert_eq!(pair.requests(), ["list snapshots", "read snapshots"]);
}

#[tokio::test]
async fn a_publish_of_an_edit_writes_two_packs_an_index_and_a_snapshot_under_a_lock() {
    let pair = Pair::new("kuma-v2", "kuma-v2-fresh").await;
    pair.publish().await;
    pair.primary.run("UPDATE monitor SET interval = 30 WHERE id = 7");
    pair.requests();
    pair.publish().await;
    let lock = [("list locks", 2), ("write locks", 1), ("delete locks", 1)];
    let read = [("list snapshots", 1), ("read snapshots", 1), ("list index", 1), ("read index", 1), ("read data", 4)];
    let written = [("write data", 2), ("write index", 1), ("write snapshots", 1)];
    let all: Vec<_> = lock.into_iter().chain(read).chain(written).collect();
    assert_eq!(counted(pair.requests()), expected(&all));
}

#[tokio::test]
async fn d13_a_replica_only_reads_and_takes_no_lock() {
    let pair = Pair::new("kuma-v2", "kuma-v2-fresh").await;
    pair.publish().await;
    pair.requests();
    pair.apply().await;
    let apply = pair.requests();
    let reads = [("list snapshots", 1), ("read snapshots", 1), ("list index", 1), ("read index", 1), ("read data", 4)];
    assert_eq!(counted(apply), expected(&reads));
    pair.plan().await;
    assert_eq!(counted(pair.requests()), expected(&reads));
    pair.apply().await;
    assert_eq!(counted(pair.requests()), expected(&reads));
}
