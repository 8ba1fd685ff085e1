//! Why a subject is flagged, in one sentence.

use crate::manifest::Manifest;

/// The manifest's words, then the features and what they normally are.
pub(crate) fn reason(manifest: &Manifest, features: &[f32], baseline: &[Option<f64>], score: f64) -> String {
    let value = |(name, (value, normal)): (&String, (&f32, &Option<f64>))| match normal {
        Some(normal) => format!("{name} is {}, normally {}", number(f64::from(*value)), number(*normal)),
        None => format!("{name} is {}", number(f64::from(*value))),
    };
    let values: Vec<String> = manifest.features.iter().zip(features.iter().zip(baseline)).map(value).collect();
    let score = format!("score {} is above {}", number(score), number(manifest.flag.above));
    match manifest.flag.reason.as_str() {
        "" => format!("{}; {score}", values.join(", ")),
        words => format!("{words}: {}; {score}", values.join(", ")),
    }
}

/// Four digits at most behind the point, and none that are zero.
fn number(value: f64) -> String {
    let text = format!("{value:.4}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
