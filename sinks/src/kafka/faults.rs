//! What brokers and the client report, by what can be done about it.

use std::sync::{Arc, Mutex, PoisonError};

use rdkafka::ClientContext;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::message::DeliveryResult;
use rdkafka::producer::ProducerContext;

use crate::endpoint::Fault;

/// The last thing that went wrong behind the caller's back: connections, deliveries.
#[derive(Debug, Clone, Default)]
pub(super) struct Overheard(Arc<Mutex<Option<(Code, String)>>>);

impl Overheard {
    pub(super) fn take(&self) -> Option<(Code, String)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn note(&self, code: Code, reason: String) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((code, reason));
    }
}

impl ClientContext for Overheard {
    fn error(&self, error: KafkaError, reason: &str) {
        if let Some(code) = error.rdkafka_error_code() {
            // That no broker is there says less than why.
            if code != Code::AllBrokersDown {
                self.note(code, reason.to_owned());
            }
        }
    }

    fn log(&self, level: rdkafka::config::RDKafkaLogLevel, facility: &str, message: &str) {
        tracing::debug!(?level, facility, "{message}");
    }
}

impl ConsumerContext for Overheard {}

impl ProducerContext for Overheard {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if let Err((error, _)) = result
            && let Some(code) = error.rdkafka_error_code()
            // Those that went down with a transaction say nothing of why it failed.
            && !matches!(code, Code::PurgeQueue | Code::PurgeInflight)
        {
            self.note(code, error.to_string());
        }
    }
}

/// Whether the broker says that another producer has taken over.
pub(super) fn is_fenced(error: &KafkaError) -> bool {
    matches!(code_of(error), Some(Code::Fenced | Code::ProducerFenced | Code::InvalidProducerEpoch))
}

/// Whether no attempt can help before somebody changes something.
fn is_refused(code: Code) -> bool {
    matches!(
        code,
        Code::Authentication
            | Code::SSL
            | Code::TopicAuthorizationFailed
            | Code::GroupAuthorizationFailed
            | Code::ClusterAuthorizationFailed
            | Code::TransactionalIdAuthorizationFailed
            | Code::SaslAuthenticationFailed
            | Code::UnsupportedSASLMechanism
            | Code::IllegalSASLState
            | Code::InvalidTopic
            | Code::PolicyViolation
            | Code::InvalidReplicationFactor
            | Code::InvalidTransactionTimeout
    )
}

pub(super) fn code_of(error: &KafkaError) -> Option<Code> {
    match error {
        KafkaError::Transaction(error) => Some(error.code()),
        other => other.rdkafka_error_code(),
    }
}

/// A fault of `doing`; `is_new` says that the sink has never written anything, so that a refusal is a mistake of the
/// manifest.
pub(super) fn fault(doing: &str, error: &KafkaError, overheard: &Overheard, is_new: bool) -> Fault {
    let overheard = overheard.take();
    let message = match &overheard {
        Some((_, reason)) => format!("{doing}: {}", one_line(reason)),
        None => format!("{doing}: {}", one_line(&text_of(error))),
    };
    if is_fenced(error) {
        return Fault::Retry(format!("{doing}: a later producer of the same node and sink has begun"));
    }
    let codes = [code_of(error), overheard.map(|(code, _)| code)];
    if is_new && codes.into_iter().flatten().any(is_refused) {
        return Fault::Fatal(message);
    }
    match error {
        KafkaError::Transaction(error) if error.is_fatal() => Fault::Reopen(message),
        _ => Fault::Retry(message),
    }
}

fn text_of(error: &KafkaError) -> String {
    match error {
        KafkaError::Transaction(error) => error.string(),
        other => other.to_string(),
    }
}

fn one_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}
