//! How an answer is drawn: what the request says, and where it is silent, what the model says.
//!
//! In thinking mode the vendor's APIs ignore temperature and top-p (model specification section g);
//! the model's own settings hold then.

use chat::deepseek_recipe::request::ConversationRequest;
use engine::SampleParams;
use serde_json::Value;

use crate::error::{ApiError, Family};

/// The settings for a request with this body. `model` are the model's own.
///
/// # Errors
/// If the body asks for what the sampler does not do.
pub(crate) fn sample_params(
    model: SampleParams,
    body: &Value,
    request: &ConversationRequest,
    family: Family,
) -> Result<SampleParams, ApiError> {
    let said = |key: &str| body.get(key).filter(|value| !value.is_null());
    let options = &request.inference_options;
    let free = !request.conversation.thinking_mode;
    // The vendor's conversion has checked these and resolved its defaults.
    let temperature = options.temperature.filter(|_| free && said("temperature").is_some());
    let top_p = match options.top_p {
        Some(top_p) if free && said("top_p").is_some() => top_p,
        resolved => resolved.unwrap_or(1.0).min(model.top_p),
    };
    let wrong = |key: &str, expected: &str| {
        ApiError::field(family, key, format!("{key} is {}, expected {expected}", body[key]))
    };
    let top_k = said("top_k").map(|k| {
        // Zero and less say that there is no limit.
        let k = k.as_i64().ok_or_else(|| wrong("top_k", "an integer"))?;
        Ok(usize::try_from(k).unwrap_or(0))
    });
    let min_p = said("min_p").map(|p| {
        let p = p.as_f64().filter(|p| (0.0..=1.0).contains(p));
        p.map(|p| p as f32).ok_or_else(|| wrong("min_p", "a number from 0 to 1"))
    });
    // Where the model thinks, the vendor's service ignores penalties like temperature and top-p.
    for (key, nothing) in
        [("presence_penalty", 0.0), ("frequency_penalty", 0.0), ("repetition_penalty", 1.0)]
    {
        if free && said(key).is_some_and(|penalty| penalty.as_f64() != Some(nothing)) {
            return Err(wrong(key, &format!("{nothing}, since penalties are not applied here")));
        }
    }
    if said("logit_bias").is_some_and(|bias| bias.as_object().is_none_or(|bias| !bias.is_empty())) {
        return Err(wrong("logit_bias", "none, since it is not applied here"));
    }
    Ok(SampleParams {
        temperature: temperature.unwrap_or(model.temperature),
        top_p,
        top_k: top_k.transpose()?.unwrap_or(model.top_k),
        min_p: min_p.transpose()?.unwrap_or(model.min_p),
        seed: options.seed.unwrap_or_else(random_seed),
    })
}

/// A seed for a request that names none.
pub(crate) fn random_seed() -> u64 {
    uuid::Uuid::new_v4().as_u64_pair().0
}
