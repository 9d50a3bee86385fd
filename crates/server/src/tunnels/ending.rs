//! Why a tunnel ended, as the client and the audit log are told.

/// Why a tunnel ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// Both sides had sent everything.
    Closed,
    /// The client is gone.
    ClientGone,
    /// The machine, or the agent of its host, has ended it or is gone.
    MachineGone,
    /// The machine could not be reached in the first place.
    NotReached,
    /// Its time is over.
    TimeLimit,
    /// No byte passed for so long.
    IdleLimit,
    /// Somebody has deleted it.
    Revoked,
    /// The approved request that it rested on is open no more.
    RequestEnded,
    /// The client may no longer have one: a role, or he himself, was taken away.
    NotAllowed,
    /// The server stopped.
    ServerStopped,
    /// The server was killed, or its machine lost power.
    ServerGone,
}

impl Ending {
    /// The word for it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Closed => "Closed",
            Self::ClientGone => "ClientGone",
            Self::MachineGone => "MachineGone",
            Self::NotReached => "NotReached",
            Self::TimeLimit => "TimeLimit",
            Self::IdleLimit => "IdleLimit",
            Self::Revoked => "Revoked",
            Self::RequestEnded => "RequestEnded",
            Self::NotAllowed => "NotAllowed",
            Self::ServerStopped => "ServerStopped",
            Self::ServerGone => "ServerGone",
        }
    }
}
