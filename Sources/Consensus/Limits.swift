/// The bounds of this module, with what happens at each.
public enum Limits {
    /// A proposal whose data is larger is refused (`ProposalRefused.entryTooLarge`).
    public static let maximumEntryBytes = 2 << 20
    /// Entries of one append add up to at most this; an entry that is larger alone travels alone.
    public static let maximumAppendBytes = 1 << 20
    /// Appends in flight to one peer: no further entries are sent to it until it answers.
    public static let maximumInflightAppends = 256
    /// Bytes in flight to one peer: no further entries are sent to it until it answers.
    public static let maximumInflightBytes = 16 << 20
    /// Proposed but not yet applied bytes on a leader: further proposals are refused (`ProposalRefused.overloaded`).
    public static let maximumUncommittedBytes = 64 << 20
    /// Entries handed to the state machine in one `apply` directive; the rest follows when it is done.
    public static let maximumApplyBytes = 4 << 20
    /// Reads that wait for the leader's confirmation: further ones are refused (`ProposalRefused.overloaded`).
    public static let maximumPendingReads = 65_536
    /// The time that the shell lets pass between two ticks.
    static let tick = Duration.milliseconds(50)
    /// Rounds of heartbeats whose beginning is remembered for the lease; older ones are forgotten.
    static let maximumLeaseRounds = 64
    /// Two clocks of one machine that differ by more since a lease began have jumped: it is void.
    static let maximumClockDifference = Duration.milliseconds(10)
    /// What an entry costs beside its data, in the sums above: index, term, kind, framing.
    static let entryOverheadBytes = 32
}
