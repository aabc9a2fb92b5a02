//! How an answer is drawn: what the request says, and where it is silent, what the model says.
//!
//! In thinking mode the vendor's APIs ignore temperature, top-p, presence and frequency penalty (model
//! specification section g); the model's own settings hold then. What only other servers have (top-k,
//! min-p, repetition penalty, biases) holds always: nobody sends it without meaning it.

use chat::deepseek_recipe::request::ConversationRequest;
use engine::{Penalties, SampleParams};
use serde_json::Value;

use crate::error::{ApiError, Family};

/// What `logit_bias` has to be.
const BIASES: &str = "an object of token ids and numbers from -100 to 100";

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
    Ok(SampleParams {
        temperature: temperature.unwrap_or(model.temperature),
        top_p,
        top_k: top_k.transpose()?.unwrap_or(model.top_k),
        min_p: min_p.transpose()?.unwrap_or(model.min_p),
        seed: options.seed.unwrap_or_else(random_seed),
    })
}

/// The penalties and biases of a body, whose names are the same in all APIs. `thinks` says whether
/// the model does.
///
/// # Errors
/// If one is not of its kind, or outside its range.
pub(crate) fn penalties(
    body: &Value,
    thinks: bool,
    vocab_size: usize,
    family: Family,
) -> Result<Penalties, ApiError> {
    let said = |key: &str| body.get(key).filter(|value| !value.is_null());
    let number = |key: &str| {
        let number = |value: &Value| {
            let wrong =
                || ApiError::field(family, key, format!("{key} is {value}, expected a number"));
            value.as_f64().map(|number| number as f32).ok_or_else(wrong)
        };
        said(key).map(number).transpose()
    };
    let neutral = Penalties::default();
    let mut penalties = Penalties {
        repetition: number("repetition_penalty")?.unwrap_or(neutral.repetition),
        presence: number("presence_penalty")?.unwrap_or(neutral.presence),
        frequency: number("frequency_penalty")?.unwrap_or(neutral.frequency),
        bias: said("logit_bias").map_or(Ok(Vec::new()), |bias| biases(bias, family))?,
    };
    penalties.check(vocab_size).map_err(|error| parameter(family, &error))?;
    if thinks {
        (penalties.presence, penalties.frequency) = (neutral.presence, neutral.frequency);
    }
    Ok(penalties)
}

/// An object of token ids and numbers.
fn biases(said: &Value, family: Family) -> Result<Vec<(u32, f32)>, ApiError> {
    let wrong = |what: String| {
        ApiError::field(family, "logit_bias", format!("logit_bias {what}, expected {BIASES}"))
    };
    let map = said.as_object().ok_or_else(|| wrong(format!("is {said}")))?;
    let bias = |(token, bias): (&String, &Value)| {
        let id = token.parse().map_err(|_| wrong(format!("has the key {token:?}")))?;
        let number = bias.as_f64().ok_or_else(|| wrong(format!("of {token} is {bias}")))?;
        Ok((id, number as f32))
    };
    map.iter().map(bias).collect()
}

/// A parameter outside its range, named as the APIs name it.
pub(crate) fn parameter(family: Family, error: &engine::Error) -> ApiError {
    match error {
        engine::Error::SampleParameter { name, .. } => {
            ApiError::field(family, &name.replace('-', "_"), error.to_string())
        }
        engine::Error::BiasedToken { .. } => {
            ApiError::field(family, "logit_bias", format!("logit_bias: {error}"))
        }
        _ => ApiError::bad_request(family, error.to_string()),
    }
}

/// A seed for a request that names none.
pub(crate) fn random_seed() -> u64 {
    uuid::Uuid::new_v4().as_u64_pair().0
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn where_the_model_thinks_only_what_the_vendor_does_not_have_holds() {
        let body = json!({
            "presence_penalty": 1, "frequency_penalty": -1.5, "repetition_penalty": 1.25,
            "logit_bias": { "3": -100, "1": 0.5 },
        });
        let of = |thinks| penalties(&body, thinks, 4, Family::OpenAi).expect("sound");
        let bias = vec![(3, -100.0), (1, 0.5)];
        let found = of(false);
        let asked = Penalties { repetition: 1.25, presence: 1.0, frequency: -1.5, bias };
        assert_eq!(found, asked);
        assert_eq!(of(true), Penalties { presence: 0.0, frequency: 0.0, ..asked });
        let nothing = json!({ "presence_penalty": null, "logit_bias": {} });
        assert!(penalties(&nothing, false, 4, Family::OpenAi).expect("sound").is_neutral());
        // A token that does not exist, and a number out of range, whether the model thinks or not.
        assert!(penalties(&body, false, 3, Family::OpenAi).is_err());
        let large = json!({ "presence_penalty": 3 });
        assert!(penalties(&large, true, 4, Family::OpenAi).is_err());
    }
}
