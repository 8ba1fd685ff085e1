//! Shapes of messages.
