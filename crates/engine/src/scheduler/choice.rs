//! Which slot a job gets.
//!
//! The cost of a slot is counted in tokens: those of the prompt that have to be run there, plus
//! those of the slot's conversation that would be lost, divided by the slot's rank in age. The
//! conversation used last counts in full, the one before it half, the next a third. So a long
//! conversation that has been quiet gives way to an active one before a short active one does.
//!
//! What another slot or the disk has of the prompt need not be run. It has to be copied, and a token
//! that is copied costs an eighth of one that is run: far more than it takes, so that a
//! conversation stays in its slot.

/// Tokens that are copied for the price of one that is run.
const COPIED_PER_RUN: usize = 8;

/// A free slot as the choice sees it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Candidate {
    /// Tokens in KV.
    pub(super) n_tokens: usize,
    /// Tokens that the prompt begins with too.
    pub(super) n_common: usize,
    /// When it was last used; larger is later.
    pub(super) last_used: u64,
}

/// The index of the cheapest candidate for a prompt of `n_prompt` tokens, of which `n_elsewhere` can
/// be copied to any of them; of equal ones, the one that was not used for longest. `None` if there
/// is none.
pub(super) fn cheapest(
    n_prompt: usize,
    n_elsewhere: usize,
    candidates: &[Candidate],
) -> Option<usize> {
    let cost = |slot: &Candidate| {
        let later = candidates.iter().filter(|other| other.last_used > slot.last_used).count();
        let lost = (slot.n_tokens - slot.n_common) as f64 / (1 + later) as f64;
        let n_copied = n_elsewhere.saturating_sub(slot.n_common);
        let n_run = n_prompt - slot.n_common.max(n_elsewhere).min(n_prompt);
        n_run as f64 + n_copied as f64 / COPIED_PER_RUN as f64 + lost
    };
    let by_cost = |&a: &usize, &b: &usize| {
        let (a, b) = (&candidates[a], &candidates[b]);
        cost(a).total_cmp(&cost(b)).then(a.last_used.cmp(&b.last_used))
    };
    (0..candidates.len()).min_by(by_cost)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slot(n_tokens: usize, n_common: usize, last_used: u64) -> Candidate {
        Candidate { n_tokens, n_common, last_used }
    }

    #[test]
    fn a_conversation_finds_its_slot() {
        let slots = [slot(0, 0, 0), slot(40_000, 40_000, 1), slot(9_000, 11, 2)];
        assert_eq!(cheapest(41_000, 0, &slots), Some(1));
    }

    #[test]
    fn a_title_request_takes_the_empty_or_the_lesser_slot() {
        let main = slot(40_000, 12, 3);
        assert_eq!(cheapest(300, 0, &[main, slot(0, 0, 0)]), Some(1));
        assert_eq!(cheapest(300, 0, &[main, slot(500, 12, 2)]), Some(1));
    }

    #[test]
    fn a_shared_beginning_is_run_again_rather_than_a_conversation_lost() {
        // 8,000 tokens of system prompt are shared, and 50,000 of conversation follow them.
        assert_eq!(cheapest(8_500, 0, &[slot(58_000, 8_000, 1), slot(0, 0, 0)]), Some(1));
        // What follows is little: it is cheaper to cut it off.
        assert_eq!(cheapest(8_500, 0, &[slot(8_200, 8_000, 1), slot(0, 0, 0)]), Some(0));
    }

    #[test]
    fn a_shared_beginning_is_copied_to_an_empty_slot() {
        let main = slot(58_000, 8_000, 1);
        assert_eq!(cheapest(8_500, 8_000, &[main, slot(0, 0, 0)]), Some(1));
        // A conversation whose answer the client has changed a little stays where it is.
        let own = slot(41_000, 40_000, 1);
        assert_eq!(cheapest(41_500, 40_000, &[own, slot(0, 0, 0)]), Some(0));
        // A long one comes from the disk to the empty slot, and not over another one.
        assert_eq!(cheapest(50_000, 49_000, &[main, slot(0, 0, 0)]), Some(1));
    }

    #[test]
    fn a_quiet_conversation_gives_way() {
        let slots = [slot(60_000, 0, 1), slot(30_000, 0, 3), slot(40_000, 0, 2)];
        assert_eq!(cheapest(1_000, 0, &slots), Some(0));
    }

    #[test]
    fn without_slots_there_is_no_choice() {
        assert_eq!(cheapest(10, 0, &[]), None);
    }
}
