//! A folder of a snapshot as one stream: a tar or a zip archive.

use std::io::{self, Write};

use zip::write::{SimpleFileOptions, StreamWriter, ZipWriter};
use zip::{CompressionMethod, DateTime};

use super::error::CliError;
use super::tar;
use super::when::Zone;
use crate::format::{Node, NodeType};

/// An archive that is being written.
pub(crate) enum Archive<W: Write> {
    /// A tar archive.
    Tar(W),
    /// A zip archive, and the zone of its times, which zip files do not tell.
    Zip(Box<ZipWriter<StreamWriter<W>>>, Zone),
}

impl<W: Write> Archive<W> {
    /// A tar archive.
    pub(crate) fn tar(sink: W) -> Archive<W> {
        Archive::Tar(sink)
    }

    /// A zip archive with times in this zone.
    pub(crate) fn zip(sink: W, zone: Zone) -> Archive<W> {
        Archive::Zip(Box::new(ZipWriter::new_stream(sink)), zone)
    }

    /// Begins an entry, which is to have so many bytes; only files, folders and links have a place in an archive.
    pub(crate) fn begin(&mut self, path: &[u8], node: &Node, size_bytes: u64) -> Result<(), CliError> {
        match self {
            Archive::Tar(sink) => sink.write_all(&tar::header(path, node, size_bytes))?,
            Archive::Zip(zip, zone) => {
                let name = String::from_utf8_lossy(path);
                let options = zip_options(node, size_bytes, zone);
                match node.node_type {
                    NodeType::Dir => zip.add_directory(name, options),
                    NodeType::Symlink => zip.add_symlink(name, String::from_utf8_lossy(&node.linktarget), options),
                    _ => zip.start_file(name, options),
                }
                .map_err(io::Error::from)?;
            }
        }
        Ok(())
    }

    /// Writes a part of the entry's content.
    pub(crate) fn content(&mut self, bytes: &[u8]) -> Result<(), CliError> {
        match self {
            Archive::Tar(sink) => sink.write_all(bytes)?,
            Archive::Zip(zip, _) => zip.write_all(bytes)?,
        }
        Ok(())
    }

    /// Ends an entry that had so many bytes.
    pub(crate) fn end(&mut self, size_bytes: u64) -> Result<(), CliError> {
        if let Archive::Tar(sink) = self {
            sink.write_all(&tar::padding(size_bytes))?;
        }
        Ok(())
    }

    /// Ends the archive; without this it is not whole.
    pub(crate) fn finish(self) -> Result<W, CliError> {
        match self {
            Archive::Tar(mut sink) => {
                sink.write_all(&tar::end())?;
                Ok(sink)
            }
            Archive::Zip(zip, _) => Ok(zip.finish().map_err(io::Error::from)?.into_inner()),
        }
    }
}

fn zip_options(node: &Node, size_bytes: u64, zone: &Zone) -> SimpleFileOptions {
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .unix_permissions(node.mode.unix_permissions())
        .large_file(size_bytes > u64::from(u32::MAX));
    let [year, month, day, hour, minute, second] = zone.civil(&node.mtime);
    let small = |number: i16| u8::try_from(number).unwrap_or_default();
    let time = u16::try_from(year).ok().and_then(|year| {
        DateTime::from_date_and_time(year, small(month), small(day), small(hour), small(minute), small(second)).ok()
    });
    // Years before 1980 and after 2107 have no place in a zip file.
    options.last_modified_time(time.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Read};

    use super::*;
    use crate::format::Mode;

    fn node(name: &str, node_type: NodeType, mode: u32) -> Node {
        let mut node = Node::new(name, node_type);
        node.mode = Mode(mode);
        node.mtime = "2026-11-23T12:52:39Z".parse().unwrap();
        node
    }

    #[test]
    fn a_zip_holds_folders_files_and_links() {
        let mut archive = Archive::zip(Vec::new(), Zone::utc());
        archive.begin(b"src", &node("src", NodeType::Dir, 0o755), 0).unwrap();
        archive.begin(b"src/a", &node("a", NodeType::File, 0o640), 3).unwrap();
        archive.content(b"hi\n").unwrap();
        archive.end(3).unwrap();
        let mut link = node("l", NodeType::Symlink, 0o777);
        link.linktarget = b"a".to_vec();
        archive.begin(b"src/l", &link, 0).unwrap();
        let bytes = archive.finish().unwrap();
        let mut read = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
        let names: Vec<String> = read.file_names().map(|name| name.unwrap().into_owned()).collect();
        assert_eq!(names, ["src/", "src/a", "src/l"]);
        let mut text = String::new();
        read.by_name("src/a").unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "hi\n");
        assert_eq!(read.by_name("src/a").unwrap().unix_mode().unwrap() & 0o777, 0o640);
        let time = read.by_name("src/a").unwrap().last_modified().unwrap();
        assert_eq!((time.year(), time.hour(), time.second()), (2026, 12, 38), "zip counts in pairs of seconds");
        assert!(read.by_name("src/l").unwrap().is_symlink());
    }
}
