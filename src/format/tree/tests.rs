use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::format::{ExtendedAttribute, Id, Mode, NodeType, TreeId};

fn tables() -> serde_json::Value {
    serde_json::from_str(include_str!("../../../fixtures/vectors/tree_json.json")).unwrap()
}

fn decode_node(json: &str) -> Result<Node, FormatError> {
    Tree::decode(format!(r#"{{"nodes":[{json}]}}"#).as_bytes()).map(|mut tree| tree.nodes.remove(0))
}

fn encode_node(node: &Node) -> String {
    let mut json = Vec::new();
    node.encode(&mut json);
    String::from_utf8(json).unwrap()
}

#[test]
fn trees_that_restic_wrote_are_written_again_byte_for_byte() {
    let blobs = include_str!("../../../fixtures/vectors/trees.jsonl");
    for blob in blobs.split_inclusive('\n') {
        let tree = Tree::decode(blob.as_bytes()).unwrap_or_else(|error| panic!("{error:?}: {blob}"));
        assert_eq!(String::from_utf8(tree.encode().unwrap()).unwrap(), blob);
    }
    assert!(blobs.lines().count() > 30);
}

#[test]
fn the_empty_tree_has_the_id_that_all_clients_give_it() {
    let id = Id::of(&Tree::default().encode().unwrap());
    assert_eq!(id.to_string(), "ac08ce34ba4f8123618661bef2425f7028ffb9ac740578a3ee88684d2523fee8");
}

#[test]
fn unknown_fields_of_a_tree_are_skipped() {
    for case in tables()["unknown_keys"].as_array().unwrap() {
        let tree = Tree::decode(case["json"].as_str().unwrap().as_bytes()).unwrap();
        let names = tree.nodes.iter().map(|node| str::from_utf8(&node.name).unwrap()).collect::<Vec<_>>();
        assert_eq!(serde_json::json!(names), case["names"], "{}", case["name"]);
    }
}

#[test]
fn link_targets_in_no_utf_8_are_kept_beside_their_lossy_form() {
    for case in tables()["symlink"].as_array().unwrap() {
        let json = case["json"].as_str().unwrap();
        let node = decode_node(json).unwrap();
        assert_eq!(hex::encode(&node.linktarget), case["target_hex"]);
        assert!(encode_node(&node).contains(json.trim_matches(['{', '}'])));
    }
}

#[test]
fn the_first_nodes_count_and_what_follows_the_tree_does_not() {
    let names = |json: &str| Tree::decode(json.as_bytes()).unwrap().nodes.into_iter().map(|node| node.name).collect();
    let two: Vec<Vec<u8>> = names(r#"{"nodes":[{"name":"a"}],"nodes":[{"name":"b"}]}"#);
    assert_eq!(two, [b"a"]);
    assert_eq!(names(r#"{"nodes":[]} junk"#), Vec::<Vec<u8>>::new());
    assert_eq!(names(r#"{"nodes":[null]}"#), [b""]);
}

#[test]
fn what_restic_0_19_refuses_is_refused() {
    let trees = [
        "",
        "{}",
        "[]",
        "null",
        r#"{"nodes":null}"#,
        r#"{"Nodes":[]}"#,
        r#"{"nodes":[]"#,
        r#"{"nodes":[{}"#,
        r#"{"nodes":[],}"#,
        r#"{"nodes":[{},]}"#,
        r#"{"nodes":[1]}"#,
        r#"{"nodes":[{}] "x":1}"#,
    ];
    for tree in trees {
        assert!(Tree::decode(tree.as_bytes()).is_err(), "{tree}");
    }
    let fields = [
        r#""name":"\\q""#,
        r#""name":"\"""#,
        r#""name":"\n""#,
        "\"name\":\"\n\"",
        r#""name":1"#,
        r#""mode":4294967296"#,
        r#""uid":-1"#,
        r#""uid":1.0"#,
        r#""uid":1e2"#,
        r#""uid":"1""#,
        r#""size":18446744073709551616"#,
        r#""size":01"#,
        r#""content":["00"]"#,
        r#""content":[null]"#,
        r#""subtree":"""#,
        r#""linktarget_raw":"a""#,
        r#""mtime":"soon""#,
        r#""extended_attributes":[{"name":1}]"#,
        r#""generic_attributes":[]"#,
        r#""unknown":{"#,
        r#""unknown":[1,]"#,
        r#""unknown":nul"#,
        r#""unknown":+1"#,
        r#""unknown":.5"#,
        r#""unknown":"\x""#,
    ];
    for field in fields {
        assert!(decode_node(&format!("{{{field}}}")).is_err(), "{field}");
    }
}

#[test]
fn keys_count_in_any_case_the_last_one_wins_and_null_changes_nothing() {
    let node = decode_node(r#"{"NAME":"a","name":"b","name":null,"linK":1,"linKS":7,"uſer":"u","size":3,"SIZE":4}"#);
    let node = node.unwrap();
    assert_eq!((&node.name[..], node.links, &node.user[..], node.size), (&b"b"[..], 7, "u", 4));
    assert_eq!(node.unknown_fields, [("linK".into(), b"1".to_vec())]);
    let node = decode_node(r#"{"content":[],"content":null,"linktarget":"a","linktarget_raw":null}"#).unwrap();
    assert_eq!((node.content, &node.linktarget[..]), (None, &b"a"[..]));
}

#[test]
fn unknown_fields_of_a_node_survive() {
    let mut node = decode_node(r#"{"name":"a","future": {"x": [1, 2.50, "< \" "]},"uid":1}"#).unwrap();
    assert!(encode_node(&node).ends_with(r#","content":null,"future":{"x":[1,2.50,"\u003c \" "]}}"#));
    node.unknown_fields.clear();
    assert!(!encode_node(&node).contains("future"));
}

#[test]
fn strings_are_made_of_broken_text_as_in_go() {
    let node = decode_node(r#"{"user":"\ud800x\udc00\ud83d\ude00\ud83d\u0041\/"}"#).unwrap();
    assert_eq!(node.user, "\u{fffd}x\u{fffd}😀\u{fffd}A/");
    let tree = Tree::decode(b"{\"nodes\":[{\"group\":\"a\xff\xe2\x82b\"}]}").unwrap();
    assert_eq!(tree.nodes[0].group, "a\u{fffd}\u{fffd}\u{fffd}b");
}

#[test]
fn nesting_is_read_without_recursion() {
    let deep = format!(r#"{{"nodes":[{{"x":{}{}}}]}}"#, "[".repeat(1_000_000), "]".repeat(1_000_000));
    assert_eq!(Tree::decode(deep.as_bytes()).unwrap().nodes[0].unknown_fields[0].1.len(), 2_000_000);
}

#[test]
fn names_must_ascend_byte_by_byte() {
    let mut builder = TreeBuilder::new();
    for name in ["B", "a", "a\u{300}", "ab", "é"] {
        if let Err(error) = builder.add(&Node::new(name, NodeType::File)) {
            assert_eq!((name, error.to_string().contains("ascend")), ("ab", true));
        }
    }
    let names = Tree::decode(&builder.finish()).unwrap().nodes;
    assert_eq!(names.len(), 4);
    assert!(TreeBuilder::new().add(&Node::new("", NodeType::File)).is_err());
}

fn any_node() -> impl Strategy<Value = Node> {
    let word = "[a-z]{1,8}".prop_map(NodeType::from);
    let bytes = || prop::collection::vec(any::<u8>(), 0..20);
    let texts = (bytes(), word, any::<String>(), any::<String>(), bytes(), any::<String>());
    let numbers = (any::<u32>(), any::<u32>(), any::<u32>(), any::<[u64; 5]>());
    let blobs = (prop::option::of(prop::collection::vec(any::<[u8; 32]>(), 0..3)), prop::option::of(any::<[u8; 32]>()));
    let attributes = prop::collection::vec((any::<String>(), bytes()), 0..3);
    (texts, numbers, blobs, attributes).prop_map(|(texts, numbers, blobs, attributes)| {
        let (name, node_type, user, group, linktarget, error) = texts;
        let (mode, uid, gid, [inode, device_id, size, links, device]) = numbers;
        let attribute = |(name, value): (String, _)| ExtendedAttribute { name: name.into_bytes(), value };
        Node {
            mode: Mode(mode),
            uid,
            gid,
            user,
            group,
            inode,
            device_id,
            size,
            links,
            linktarget,
            extended_attributes: attributes.into_iter().map(attribute).collect(),
            generic_attributes: BTreeMap::from([("windows.x".into(), b"{\"a\":[null,-1.5e3]}".to_vec())]),
            device,
            content: blobs.0.map(|ids| ids.into_iter().map(|id| Id::from_bytes(id).into()).collect()),
            subtree: blobs.1.map(TreeId::from_bytes),
            error,
            ..Node::new(name, node_type)
        }
    })
}

proptest! {
    #[test]
    fn a_node_survives(node in any_node()) {
        prop_assert_eq!(decode_node(&encode_node(&node)).unwrap(), node);
    }

    #[test]
    fn no_bytes_panic(bytes: Vec<u8>) {
        let _ = Tree::decode(&bytes);
    }

    #[test]
    fn no_damage_panics(damage in prop::collection::vec((0_usize..3000, any::<u8>()), 1..4), end in 0_usize..3000) {
        let blob = include_bytes!("../../../fixtures/vectors/trees.jsonl");
        let mut blob = blob[..3000].to_vec();
        damage.into_iter().for_each(|(at, byte)| blob[at] = byte);
        let _ = Tree::decode(&blob);
        let _ = Tree::decode(&blob[..end]);
    }
}
