import CLinux
public import Primitives

/// Opening the TAP interfaces that a `Dataplane` serves.
public enum TAPDevice {
    /// Opens or creates an interface in the calling thread's network namespace, with the flags the data path needs.
    ///
    /// The caller owns the descriptor. `persistent`: the interface outlives its descriptors.
    public static func open(name: String, persistent: Bool = false) throws(Failure) -> Int32 {
        let descriptor = overlay_tap_open(name)
        guard descriptor >= 0 else { throw Dataplane.failure("opening TAP interface \(name)", descriptor) }
        let status = overlay_tap_persist(descriptor, persistent ? 1 : 0)
        guard status >= 0 else {
            overlay_close(descriptor)
            throw Dataplane.failure("making TAP interface \(name) persistent", status)
        }
        return descriptor
    }
}
