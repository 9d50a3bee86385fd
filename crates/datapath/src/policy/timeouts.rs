//! When flows end: an idle timeout for each state.

use palisade_abi::flow::{FLOW_STATES, FLOW_TIMEOUTS_S, FlowState};

/// Idle timeouts in seconds, by [`FlowState`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Timeouts([u32; FLOW_STATES]);

impl Default for Timeouts {
    fn default() -> Self {
        Self(FLOW_TIMEOUTS_S)
    }
}

impl Timeouts {
    /// Those of a virtual network with `flowTimeoutInMinutes`: it holds for flows in use, both ways.
    pub fn of_flow_timeout_minutes(minutes: u32) -> Self {
        let seconds = minutes.saturating_mul(60);
        [FlowState::UdpAnswered, FlowState::Other, FlowState::Established]
            .into_iter()
            .fold(Self::default(), |timeouts, state| timeouts.with(state, seconds))
    }

    /// The same with another timeout for one state.
    #[must_use]
    pub fn with(mut self, state: FlowState, seconds: u32) -> Self {
        self.0[state as usize] = seconds;
        self
    }

    /// In kernel ticks.
    pub(crate) fn ticks(self, per_second: u32) -> [u32; FLOW_STATES] {
        self.0.map(|seconds| seconds.saturating_mul(per_second))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flow_timeout_holds_for_flows_in_use() {
        let ticks = Timeouts::of_flow_timeout_minutes(30).ticks(10);
        for state in FlowState::ALL {
            let changed = matches!(state, FlowState::UdpAnswered | FlowState::Other | FlowState::Established);
            let seconds = if changed { 1800 } else { FLOW_TIMEOUTS_S[*state as usize] };
            assert_eq!(ticks[*state as usize], 10 * seconds, "{state}");
        }
    }
}
