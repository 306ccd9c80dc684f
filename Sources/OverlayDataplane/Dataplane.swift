import CLinux
import Glibc
public import OverlayProtocol
public import Primitives
import Synchronization

/// The encrypted overlay's data path of one node: a thread between TAPs and one UDP socket.
///
/// It starts with empty tables: nothing passes before `update`. Every method may be called from any thread and returns
/// at once; changes take effect in the order of the calls. Descriptors are duplicated, so the caller keeps its own and
/// may close them. The TAPs may live in any network namespace; the socket stays in the one it was made in.
public final class Dataplane: Sendable {
    private enum Phase {
        case idle
        case running(pthread_t)
        case stopped
    }

    private let identity: OverlayInstance.Identity
    private let socket: Int32
    private let shared: DataplaneShared
    private let phase = Mutex(Phase.idle)

    /// `socket`: a bound UDP socket, IPv4 or IPv6 (then it reaches IPv4 peers too if it is not IPv6-only). It is made
    /// non-blocking.
    public init(identity: OverlayInstance.Identity, socket: Int32) throws(Failure) {
        self.identity = identity
        let copy = overlay_duplicate(socket)
        guard copy >= 0 else { throw Dataplane.failure("duplicating the overlay's UDP socket", copy) }
        let wakeup = overlay_wakeup_open()
        guard wakeup >= 0 else {
            overlay_close(copy)
            throw Dataplane.failure("opening an eventfd for the overlay", wakeup)
        }
        self.socket = copy
        shared = DataplaneShared(wakeup: wakeup)
    }

    deinit { stop() }

    /// Starts the thread; a second call does nothing, after `stop` it is an error.
    public func start() throws(Failure) {
        try phase.withLock { (phase) throws(Failure) in
            switch phase {
            case .running: return
            case .stopped: throw Failure(.failedPrecondition, "the overlay's data path was stopped; make a new one")
            case .idle: phase = .running(try launch())
            }
        }
    }

    private func launch() throws(Failure) -> pthread_t {
        let features = overlay_udp_prepare(socket, Int32(DataplaneLimits.socketBufferBytes))
        guard features >= 0 else { throw Dataplane.failure("preparing the overlay's UDP socket", features) }
        let family = overlay_udp_family(socket)
        let copy = overlay_duplicate(socket)
        guard copy >= 0 else { throw Dataplane.failure("duplicating the overlay's UDP socket", copy) }
        let poll = overlay_poll_open()
        guard poll >= 0 else {
            overlay_close(copy)
            throw Dataplane.failure("opening an epoll descriptor for the overlay", poll)
        }
        let worker = Worker(
            shared: shared, instance: OverlayInstance(identity: identity), socket: copy, family: family,
            features: features, poll: poll)
        // The thread owns the worker from here: this reference is given away, not shared.
        let reference = Unmanaged.passRetained(worker)
        var thread = pthread_t()
        let status = pthread_create(&thread, nil, runWorker, reference.toOpaque())
        guard status == 0 else {
            reference.release()
            throw Dataplane.failure("starting the overlay's thread", -status)
        }
        return thread
    }

    /// Replaces the tables: peers, networks and endpoints, as the managers say them.
    public func update(_ tables: OverlayTables) { shared.post(.tables(tables)) }

    /// Serves the TAP of a network, replacing a former TAP of the same VNI.
    ///
    /// `tapDescriptor`: opened with IFF_TAP, IFF_NO_PI and IFF_VNET_HDR; its offloads are set here. `mtu`: the network's,
    /// in bytes; larger packets are dropped and counted.
    public func addNetwork(vni: UInt32, tapDescriptor: Int32, mtu: Int) throws(Failure) {
        guard VXLANHeader(vni: vni) != nil, (68...DataplaneLimits.largestPacketBytes).contains(mtu) else {
            throw Failure(.invalidArgument, "VNI \(vni) or MTU \(mtu) is out of range")
        }
        let status = overlay_tap_prepare(tapDescriptor)
        guard status >= 0 else { throw Dataplane.failure("setting the offloads of the TAP of VNI \(vni)", status) }
        let copy = overlay_duplicate(tapDescriptor)
        guard copy >= 0 else { throw Dataplane.failure("duplicating the TAP of VNI \(vni)", copy) }
        if !shared.post(.add(NetworkAttachment(vni: vni, tap: copy, mtu: mtu))) { overlay_close(copy) }
    }

    /// Stops serving a network; its TAP descriptor is closed.
    public func removeNetwork(vni: UInt32) { shared.post(.remove(vni: vni)) }

    /// As of the last turn of the thread.
    public func counters() -> DataplaneCounters { shared.counters() }

    /// The links to all peers, as of the last tick (250 ms).
    public func peers() -> [OverlayPeerStatus] { shared.peers() }

    /// Ends the thread and waits for it; sessions are forgotten and their keys wiped, and the socket's address is free for
    /// another one, whoever still holds this object. Final.
    public func stop() {
        let before = phase.withLock { phase in
            defer { phase = .stopped }
            return phase
        }
        switch before {
        case .stopped: return
        case .idle: break
        case .running(let thread):
            shared.post(.stop)
            pthread_join(thread, nil)
        }
        overlay_close(socket)
    }

    static func failure(_ what: String, _ status: Int32) -> Failure {
        Failure(.unavailable, "\(what): \(String(cString: strerror(-status)))")
    }
}

private func runWorker(_ context: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    guard let context else { return nil }
    Unmanaged<Worker>.fromOpaque(context).takeRetainedValue().run()
    return nil
}
