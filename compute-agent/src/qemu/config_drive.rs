//! The config drive: a small read-only FAT disk labelled `config-2`, with the same files as the
//! metadata service. It may hold a password, so only the guest's user can read it.

use std::{
    collections::BTreeMap,
    io::{self, Cursor, Write},
};

use fatfs::{FileSystem, FormatVolumeOptions, FsOptions, format_volume};
use reqwest::Client;
use skybus_model::{Fault, FaultCode};

/// The label by which guests find it.
const LABEL: [u8; 11] = *b"config-2   ";
/// The least that the format's own tables leave usable.
const SMALLEST: usize = 1024 * 1024;
/// The most that is taken; Nova's own limit is 64 MiB.
const LARGEST: usize = 64 * 1024 * 1024;

/// Paths and what is in them.
pub type Tree = BTreeMap<String, String>;

/// Fetches the content from the API.
///
/// # Errors
/// A fault that says whose answer was wrong; the address, which carries a signature, is in no text.
pub async fn fetch(client: &Client, url: &str) -> Result<Tree, Fault> {
    let failed = |details: String| {
        Fault::new(
            FaultCode::Internal,
            "The config drive's content could not be fetched; try again",
        )
        .with_details(details)
    };
    let response = client
        .get(url)
        .send()
        .await
        .and_then(reqwest::Response::error_for_status)
        .map_err(|error| failed(error.without_url().to_string()))?;
    response
        .json()
        .await
        .map_err(|error| failed(error.without_url().to_string()))
}

/// The disk that holds `tree`.
///
/// # Errors
/// When it is too large, or a path is none.
pub fn disk(tree: &Tree) -> io::Result<Vec<u8>> {
    // Every file and directory may end in a cluster that is hardly used.
    let content: usize = tree.values().map(|text| text.len() + 16 * 1024).sum();
    let size = (content + content / 8 + SMALLEST).next_multiple_of(SMALLEST);
    if size > LARGEST {
        return Err(io::Error::other("the config drive's content is too large"));
    }
    let mut disk = Cursor::new(vec![0; size]);
    format_volume(&mut disk, FormatVolumeOptions::new().volume_label(LABEL))?;
    {
        let system = FileSystem::new(&mut disk, FsOptions::new())?;
        for (path, text) in tree {
            write(&system, path, text.as_bytes())?;
        }
        system.unmount()?;
    }
    Ok(disk.into_inner())
}

fn write(system: &FileSystem<&mut Cursor<Vec<u8>>>, path: &str, text: &[u8]) -> io::Result<()> {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    if parts.is_empty() || parts.iter().any(|part| matches!(*part, "." | "..")) {
        return Err(io::Error::other(format!("{path:?} is no path of a file")));
    }
    let mut directory = system.root_dir();
    for part in &parts[..parts.len() - 1] {
        directory = directory.create_dir(part)?;
    }
    let mut file = directory.create_file(parts[parts.len() - 1])?;
    file.truncate()?;
    file.write_all(text)?;
    file.flush()
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    fn tree(pairs: &[(&str, &str)]) -> Tree {
        pairs
            .iter()
            .map(|(path, text)| ((*path).to_owned(), (*text).to_owned()))
            .collect()
    }

    #[test]
    fn what_was_put_in_is_found_under_its_long_name_and_label() {
        let text = "#!/bin/sh\n".repeat(4000);
        let tree = tree(&[
            ("openstack/latest/meta_data.json", "{\"uuid\": \"x\"}"),
            ("openstack/latest/user_data", &text),
            ("ec2/2009-04-04/meta-data.json", "{}"),
        ]);
        let bytes = disk(&tree).unwrap();
        let system = FileSystem::new(Cursor::new(bytes), FsOptions::new()).unwrap();
        assert_eq!(system.volume_label(), "config-2");
        for (path, text) in &tree {
            let mut found = String::new();
            system
                .root_dir()
                .open_file(path)
                .unwrap()
                .read_to_string(&mut found)
                .unwrap();
            assert_eq!(found, *text, "{path}");
        }
    }

    #[test]
    fn many_small_files_and_one_large_one_fit() {
        let many: Tree = (0..300)
            .map(|n| (format!("d{}/f{n}", n % 7), "x".to_owned()))
            .collect();
        disk(&many).unwrap();
        disk(&tree(&[("user_data", &"u".repeat(8 << 20))])).unwrap();
        assert!(disk(&tree(&[("user_data", &"u".repeat(80 << 20))])).is_err());
    }

    #[test]
    fn a_path_that_is_none_is_refused() {
        for path in ["", "/", "a/../b", "./a"] {
            assert!(disk(&tree(&[(path, "x")])).is_err(), "{path:?} was taken");
        }
    }
}
