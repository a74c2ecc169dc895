//! Damage × place: whatever is cut, flipped, emptied or gone, the error names the object, the exit code is
//! restic's, and no file comes back wrong.

use std::path::{Path, PathBuf};

use crate::support::fixtures::{Unpacked, locks};
use crate::support::manifest::Manifest;
use crate::support::{Client, Repo, Run};

/// The object of `base.tar.gz` that is damaged.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Place {
    Config,
    Key,
    NewestSnapshot,
    NewestIndex,
    /// Holds the root tree of the newest snapshot.
    TreePack,
    /// Holds most of both snapshots' files.
    DataPack,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Damage {
    FlippedBit,
    CutToHalf,
    CutToTenBytes,
    Emptied,
    Grown,
    Gone,
}

use Damage::{CutToHalf, CutToTenBytes, Emptied, FlippedBit, Gone, Grown};
use Place::{Config, DataPack, Key, NewestIndex, NewestSnapshot, TreePack};

const NEWEST: &str = "3ab74d8a6678b45c7ff2eb03d1c9a8d7068c8075f0e1711d94442c73008c8959";
const OLDEST: &str = "8855567332096c4d0bde80206b560add9a92d23395236fe14c734bd7833b5713";

impl Place {
    fn path(self) -> &'static str {
        match self {
            Config => "config",
            Key => "keys/25eb2cefd864df0a8d2962ebf0b98a8bc8bc7b8746f78a79579375abbae4b0df",
            NewestSnapshot => "snapshots/3ab74d8a6678b45c7ff2eb03d1c9a8d7068c8075f0e1711d94442c73008c8959",
            NewestIndex => "index/0f74b7db90542f94ec4f7ab1477d1cb326e6f2f8b563f4c5275a3acd251cb76f",
            TreePack => "data/3d/3db4fa4047d8bbe4126a06b8a1a65cfabe5711e1d1b58a80443adc1c3da27067",
            DataPack => "data/7b/7bccc2204cdcd0ee950b86f6d27ea653fd560ad5baa0e791d5169ad29b257975",
        }
    }

    /// What an error must name: the id's first digits, or the only config.
    fn name(self) -> &'static str {
        let name = self.path().rsplit('/').next().expect("a name");
        &name[..name.len().min(8)]
    }
}

impl Damage {
    fn inflict(self, path: &Path) {
        let mut bytes = std::fs::read(path).expect("the object");
        // Repository files are read-only, and stay so for whoever is not root.
        std::fs::remove_file(path).expect("removing it");
        let half = bytes.len() / 2;
        match self {
            FlippedBit => bytes[half] ^= 1,
            CutToHalf => bytes.truncate(half),
            CutToTenBytes => bytes.truncate(10),
            Emptied => bytes.clear(),
            Grown => bytes.extend([0; 16]),
            Gone => return,
        }
        std::fs::write(path, bytes).expect("writing it back");
    }
}

/// A damaged copy of the base, and what is asked of it.
struct Patient {
    unpacked: Unpacked,
    what: String,
    name: &'static str,
}

fn damaged(place: Place, damage: Damage) -> Patient {
    let unpacked = Unpacked::new("base");
    damage.inflict(&unpacked.path().join(place.path()));
    Patient { unpacked, what: format!("{place:?} {damage:?}"), name: place.name() }
}

impl Patient {
    fn repo(&self) -> Repo {
        self.unpacked.repo("geheim")
    }

    /// Runs a command that must end so; with an error, it names the damaged object.
    fn ends(&self, arguments: &[&str], code: i32) -> Run {
        let run = Client::ours().run(&self.repo(), arguments);
        assert_eq!(run.code, Some(code), "{}: {run}", self.what);
        if code == 1 {
            assert!(run.stderr.contains(self.name), "{} is not named as {}: {run}", self.what, self.name);
        }
        self.leaves_no_lock();
        run
    }

    /// Restores a snapshot; whatever comes back is right.
    fn restore_ends(&self, snapshot: &str, code: i32) -> Vec<String> {
        let target = tempfile::tempdir().expect("a temporary folder");
        let arguments = ["restore", snapshot, "--target", target.path().to_str().expect("UTF-8")];
        self.ends(&arguments, code);
        self.compare(snapshot, target.path())
    }

    /// What is missing in a restore of the newest snapshot; nothing may be wrong.
    fn compare(&self, snapshot: &str, target: &Path) -> Vec<String> {
        if snapshot != NEWEST {
            return Vec::new();
        }
        let manifest = Manifest::new("base");
        assert_eq!(manifest.wrong_files(target), Vec::<PathBuf>::new(), "{}: wrong content", self.what);
        manifest.differences(target).into_iter().filter(|line| line.starts_with("- ")).collect()
    }

    fn leaves_no_lock(&self) {
        assert_eq!(locks(&self.unpacked.path()), 0, "{}: a lock was left behind", self.what);
    }
}

const EVERY_DAMAGE: [Damage; 6] = [FlippedBit, CutToHalf, CutToTenBytes, Emptied, Grown, Gone];

#[test]
fn without_a_whole_config_nothing_works_and_config_is_named() {
    for damage in EVERY_DAMAGE {
        let patient = damaged(Config, damage);
        let code = if damage == Gone { 10 } else { 1 };
        for command in [&["snapshots"][..], &["check"], &["restore", "latest", "--target", "/nowhere"]] {
            patient.ends(command, code);
        }
    }
}

#[test]
fn without_a_whole_key_nothing_opens_and_the_key_is_named() {
    for damage in EVERY_DAMAGE {
        let patient = damaged(Key, damage);
        let code = if damage == Gone { 12 } else { 1 };
        patient.ends(&["snapshots"], code);
        patient.ends(&["check"], code);
    }
}

#[test]
fn a_broken_snapshot_is_named_and_the_other_one_comes_back() {
    for damage in EVERY_DAMAGE.into_iter().filter(|damage| *damage != Gone) {
        let patient = damaged(NewestSnapshot, damage);
        patient.ends(&["check"], 1);
        // A list of what can be read, with a word about what cannot.
        let listed = Client::ours().run(&patient.repo(), ["snapshots", "--json"]).ok().says(&[patient.name]);
        assert_eq!(listed.json().as_array().map(Vec::len), Some(1), "{}", patient.what);
        patient.restore_ends("latest", 1);
        patient.restore_ends(NEWEST, 1);
        patient.restore_ends(OLDEST, 0);
        patient.ends(&["backup", "/etc/hostname"], 1);
    }
}

#[test]
fn a_forgotten_snapshot_is_no_damage() {
    let patient = damaged(NewestSnapshot, Gone);
    patient.ends(&["check", "--read-data"], 0);
    patient.restore_ends(OLDEST, 0);
}

#[test]
fn a_broken_index_stops_what_needs_the_index_and_is_named() {
    for damage in EVERY_DAMAGE.into_iter().filter(|damage| *damage != Gone) {
        let patient = damaged(NewestIndex, damage);
        patient.ends(&["snapshots"], 0);
        patient.ends(&["check"], 1);
        patient.restore_ends(NEWEST, 1);
        patient.ends(&["backup", "/etc/hostname"], 1);
    }
}

#[test]
fn a_lost_index_costs_the_snapshots_that_need_it() {
    let patient = damaged(NewestIndex, Gone);
    assert_eq!(Client::ours().run(&patient.repo(), ["check"]).code, Some(1));
    assert_eq!(Client::ours().run(&patient.repo(), ["ls", NEWEST]).code, Some(1));
    patient.restore_ends(OLDEST, 0);
}

#[test]
fn a_broken_tree_pack_is_found_by_check_and_costs_its_snapshot() {
    for damage in [FlippedBit, CutToHalf, CutToTenBytes, Emptied, Gone] {
        let patient = damaged(TreePack, damage);
        patient.ends(&["check"], 1);
        patient.ends(&["check", "--read-data"], 1);
        patient.ends(&["ls", NEWEST], 1);
        patient.restore_ends(NEWEST, 1);
        patient.restore_ends(OLDEST, 0);
    }
}

#[test]
fn a_broken_data_pack_costs_its_files_only() {
    for damage in [FlippedBit, CutToHalf, CutToTenBytes, Emptied, Gone] {
        let patient = damaged(DataPack, damage);
        // Sizes are looked at always, contents only on demand.
        patient.ends(&["check"], if damage == FlippedBit { 0 } else { 1 });
        patient.ends(&["check", "--read-data"], 1);
        let missing = patient.restore_ends(NEWEST, 1);
        let expected = match damage {
            FlippedBit => 1,
            CutToHalf => 5,
            _ => 10,
        };
        assert_eq!(missing.len(), expected, "{}: {missing:?}", patient.what);
    }
}

#[test]
fn bytes_behind_a_pack_are_found_and_harm_no_restore() {
    for place in [DataPack, TreePack] {
        let patient = damaged(place, Grown);
        patient.ends(&["check"], 1);
        patient.ends(&["check", "--read-data"], 1);
        assert_eq!(patient.restore_ends(NEWEST, 0), Vec::<String>::new());
    }
}

/// A damaged fixture: its name, the exit codes of `check`, `check --read-data` and of restoring the oldest and
/// the newest snapshot, and what an error must name.
type Case = (&'static str, [i32; 4], &'static str);

/// Damage that takes the key to make; codes are restic 0.19.1's.
const MADE_WITH_THE_KEY: [Case; 25] = [
    ("blob-wrong-content", [0, 1, 1, 0], "3abfe290"),
    ("data-blob-not-indexed", [1, 1, 1, 1], "027279e8"),
    ("garbage-files", [0, 0, 0, 0], ""),
    ("garbage-hex-in-snapshots", [1, 1, 0, 0], "12121212"),
    ("header-length-huge", [0, 1, 0, 0], "7bccc220"),
    ("header-length-wrong", [0, 1, 0, 0], "7bccc220"),
    ("index-duplicate-different", [1, 1, 0, 0], "7bccc220"),
    ("index-duplicate-same", [0, 0, 0, 0], ""),
    ("index-empty-packs", [0, 0, 0, 0], ""),
    ("index-names-missing-pack", [1, 1, 0, 0], "5a5a5a5a"),
    ("index-supersedes", [0, 0, 0, 0], ""),
    ("index-wrong-length", [1, 1, 1, 0], "7bccc220"),
    ("index-wrong-offset", [0, 1, 1, 1], "7bccc220"),
    ("index-wrong-type", [1, 1, 0, 1], "28a88191"),
    ("index-wrong-ulen", [0, 1, 0, 0], "7bccc220"),
    ("key-bitflip-rehashed", [12, 12, 12, 12], ""),
    ("key-extra-corrupt", [0, 0, 0, 0], ""),
    ("mixed-pack", [0, 0, 0, 0], ""),
    ("orphan-pack", [0, 0, 0, 0], ""),
    ("pack-renamed", [0, 1, 0, 0], "efefefef"),
    ("pack-wrong-subdir", [0, 1, 1, 1], "7bccc220"),
    ("readonly-dirs-missing", [0, 0, 0, 0], ""),
    ("snapshot-swapped", [1, 1, 1, 1], "3ab74d8a"),
    ("tree-blob-missing", [1, 1, 0, 1], "28a88191"),
    ("uppercase-name", [1, 1, 1, 1], "88555673"),
];

#[test]
fn damage_made_with_the_key_is_found_where_restic_finds_it() {
    for (name, codes, names) in MADE_WITH_THE_KEY {
        let patient = Patient { unpacked: Unpacked::new(&format!("damaged/{name}")), what: name.into(), name: names };
        patient.ends(&["check"], codes[0]);
        patient.ends(&["check", "--read-data"], codes[1]);
        let restore = |snapshot, code| {
            let target = tempfile::tempdir().expect("a temporary folder");
            let arguments = ["restore", snapshot, "--target", target.path().to_str().expect("UTF-8")];
            let run = Client::ours().run(&patient.repo(), arguments);
            assert_eq!(run.code, Some(code), "{name}: {run}");
            let missing = patient.compare(snapshot, target.path());
            assert!(code != 0 || missing.is_empty(), "{name}: succeeded without {missing:?}");
        };
        restore(OLDEST, codes[2]);
        restore(NEWEST, codes[3]);
        patient.leaves_no_lock();
    }
}
