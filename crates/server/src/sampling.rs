//! How an answer is drawn: what the request says, and where it is silent, what the model says.
//!
//! In thinking mode the vendor's APIs ignore temperature and top-p (model specification section g);
//! the model's own settings hold then.

use chat::deepseek_recipe::request::ConversationRequest;
use engine::SampleParams;
use serde_json::Value;

/// The settings for a request with this body. `model` are the model's own.
pub(crate) fn sample_params(
    model: SampleParams,
    body: &Value,
    request: &ConversationRequest,
) -> SampleParams {
    let said = |key: &str| body.get(key).filter(|value| !value.is_null());
    let options = &request.inference_options;
    let free = !request.conversation.thinking_mode;
    // The vendor's conversion has checked these and resolved its defaults.
    let temperature = options.temperature.filter(|_| free && said("temperature").is_some());
    let top_p = match options.top_p {
        Some(top_p) if free && said("top_p").is_some() => top_p,
        resolved => resolved.unwrap_or(1.0).min(model.top_p),
    };
    let number = |key: &str| said(key).and_then(Value::as_f64);
    SampleParams {
        temperature: temperature.unwrap_or(model.temperature),
        top_p,
        top_k: said("top_k").and_then(Value::as_u64).map_or(model.top_k, |k| k as usize),
        min_p: number("min_p").map_or(model.min_p, |p| p as f32),
        seed: options.seed.unwrap_or_else(random_seed),
    }
}

/// A seed for a request that names none.
pub(crate) fn random_seed() -> u64 {
    uuid::Uuid::new_v4().as_u64_pair().0
}
