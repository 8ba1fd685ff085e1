//! What the machine calls a container: the files in which Docker and Podman keep names.

use std::fs::File;
use std::io::Read;
use std::path::Path;

/// The machine's files, also where the agent runs in a container that sees its processes.
pub(crate) const HOST: &str = "/proc/1/root";

const FILE_MAX: u64 = 4 << 20;

/// The name of a container by its id.
pub(crate) fn name_of(host: &Path, id: &str) -> Option<String> {
    let docker = host.join("var/lib/docker/containers").join(id).join("config.v2.json");
    let podman = host.join("var/lib/containers/storage/overlay-containers/containers.json");
    in_docker(&text(&docker)).or_else(|| in_podman(&text(&podman), id))
}

fn text(path: &Path) -> String {
    let mut text = String::new();
    // What cannot be read has no names.
    let _ = File::open(path).and_then(|file| file.take(FILE_MAX).read_to_string(&mut text));
    text
}

/// Of several names in the file, only the container's begins with a slash.
fn in_docker(text: &str) -> Option<String> {
    let (_, rest) = text.split_once(r#""Name":"/"#)?;
    quoted(rest)
}

/// The first name in the list of the entry with that id.
fn in_podman(text: &str, id: &str) -> Option<String> {
    let (_, entry) = text.split_once(&format!(r#""id":"{id}""#))?;
    let entry = entry.split(r#""id":""#).next()?;
    let (_, rest) = entry.split_once(r#""names":[""#)?;
    quoted(rest)
}

fn quoted(rest: &str) -> Option<String> {
    let (name, _) = rest.split_once('"')?;
    (!name.is_empty()).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    #[test]
    fn names_are_found_in_the_files_of_both_runtimes() {
        let docker = r#"{"ID":"x","MountPoints":{"/d":{"Name":"volume"}},"Name":"/web","Driver":"overlay2"}"#;
        assert_eq!(in_docker(docker).as_deref(), Some("web"));
        let other = ID.replace('0', "f");
        let podman = format!(
            r#"[{{"id":"{other}","names":["other"]}},{{"id":"{ID}","names":["db","alias"],"image":"i"}},{{"id":"z"}}]"#
        );
        assert_eq!(in_podman(&podman, ID).as_deref(), Some("db"));
        assert_eq!(in_podman(&podman, &other).as_deref(), Some("other"));
        assert_eq!(in_podman(&podman, "z"), None);
        assert_eq!(in_podman(&podman, "w"), None);
    }

    #[test]
    fn a_machine_without_runtimes_has_no_names() {
        assert_eq!(name_of(Path::new("/nowhere"), ID), None);
    }
}
