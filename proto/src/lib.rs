//! The gRPC contract `watershed.v1`, generated from `watershed/v1/*.proto` at build time.

/// Messages, clients and servers of `watershed.v1`.
#[allow(missing_docs, clippy::pedantic, clippy::unwrap_used, unreachable_pub)] // Generated code.
pub mod v1 {
    tonic::include_proto!("watershed.v1");
}

/// The encoded descriptors of all messages and services, for reflection.
pub const DESCRIPTORS: &[u8] = tonic::include_file_descriptor_set!("watershed_descriptor");
