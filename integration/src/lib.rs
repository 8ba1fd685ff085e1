//! What the black-box tests share: the built binary as a user runs it, real servers and load generators on loopback,
//! and the skip with a printed reason where a machine cannot run a test.

pub mod agent;
pub mod broker;
pub mod faulty;
pub mod kubernetes;
pub mod machine;
pub mod namespace;
pub mod network;
pub mod oracle;
pub mod processes;
pub mod proxy;
pub mod redis;
pub mod servers;
pub mod subscription;
