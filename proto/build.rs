//! Generates the Rust side of `watershed/v1/*.proto`; needs `protoc`.

use std::path::PathBuf;

fn main() -> std::io::Result<()> {
    let out = PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo sets OUT_DIR for build scripts"));
    tonic_prost_build::configure()
        .file_descriptor_set_path(out.join("watershed_descriptor.bin"))
        .bytes(".watershed.v1.Changes.arrow_ipc")
        .bytes(".watershed.v1.TableRows.arrow_ipc")
        .compile_protos(
            &[
                "watershed/v1/views.proto",
                "watershed/v1/status.proto",
                "watershed/v1/sinks.proto",
                "watershed/v1/detectors.proto",
            ],
            &["."],
        )
}
