import ClusterModel
import ClusterState
import DockerSchema
import Orchestration
import Primitives

/// What a request makes of a service: pure, so that it can run again on a newer state.
enum ServiceChanges {
    /// - Returns: the service after the user's update; nil where nothing changes.
    /// - Throws: ``Failure`` with code `unimplemented` for what cannot be changed.
    static func updated(_ service: Service, to spec: ServiceSpec, now: Timestamp) throws(Failure) -> Service? {
        guard spec.name == service.spec.name else {
            throw Failure(.unimplemented, "renaming services is not supported")
        }
        switch (spec.mode, service.spec.mode) {
        case (.replicated, .replicated), (.global, .global): break
        default: throw Failure(.unimplemented, "service mode change is not allowed")
        }
        let updated = ServiceUpdates.updated(service, to: spec, now: now)
        return updated == service ? nil : updated
    }

    /// - Returns: the service with its previous spec, which is used up by that, as in Docker.
    static func rolledBack(_ service: Service, now: Timestamp) throws(Failure) -> Service {
        guard let restored = ServiceUpdates.rolledBack(service, now: now) else {
            throw Failure(.failedPrecondition, "service \(service.spec.name) does not have a previous spec")
        }
        return restored
    }

    /// The checks that need nothing but the spec.
    static func check(_ spec: ServiceSpec) throws(Failure) {
        try ObjectName.checkService(spec.name)
        let limits = spec.task.limits
        let reservations = spec.task.reservations
        for (field, amount) in [("Limits", limits.memoryBytes), ("Reservations", reservations.memoryBytes)]
        where amount != 0 && amount < EngineLimits.taskMemoryBytes {
            throw Failure(
                .invalidArgument,
                "TaskTemplate.Resources.\(field).MemoryBytes: \(amount) is below \(EngineLimits.taskMemoryBytes)")
        }
        for (field, amount) in [("Limits", limits.nanoCPUs), ("Reservations", reservations.nanoCPUs)]
        where amount != 0 && amount < EngineLimits.taskNanoCPUs {
            throw Failure(
                .invalidArgument,
                "TaskTemplate.Resources.\(field).NanoCPUs: \(amount) is below \(EngineLimits.taskNanoCPUs)")
        }
    }

    static func references(in tables: ClusterTables) -> References {
        References(
            network: { text throws(Failure) in
                do throws(Failure) {
                    return try Lookup.network(text, in: tables).id
                } catch {
                    throw Failure(error.code == .notFound ? .invalidArgument : error.code, error.message)
                }
            },
            secret: { text throws(Failure) in
                do throws(Failure) {
                    return try Lookup.secret(text, in: tables)
                } catch {
                    throw Failure(.invalidArgument, error.message)
                }
            },
            config: { text throws(Failure) in
                do throws(Failure) {
                    return try Lookup.config(text, in: tables)
                } catch {
                    throw Failure(.invalidArgument, error.message)
                }
            })
    }
}

/// Names of objects.
enum ObjectName {
    /// A DNS label (RFC 1123), because it is looked up as one.
    static func checkService(_ name: String) throws(Failure) {
        let isLabel =
            name.utf8.allSatisfy { isLetterOrDigit($0) || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "_") }
            && name.utf8.first.map(isLetterOrDigit) == true && name.utf8.last.map(isLetterOrDigit) == true
        guard isLabel, name.utf8.count <= EngineLimits.serviceNameCharacters else {
            throw Failure(
                .invalidArgument,
                "Name: \"\(name)\" must be valid as a DNS name component: letters, digits and - inside, at most "
                    + "\(EngineLimits.serviceNameCharacters)")
        }
    }

    /// A network's, secret's or config's.
    static func check(_ name: String, kind: String) throws(Failure) {
        let isValid =
            name.utf8.allSatisfy { isLetterOrDigit($0) || "-_.".utf8.contains($0) }
            && name.utf8.first.map(isLetterOrDigit) == true && name.utf8.last.map(isLetterOrDigit) == true
        guard isValid, name.utf8.count <= EngineLimits.objectNameCharacters else {
            throw Failure(
                .invalidArgument,
                "Name: invalid \(kind) name \"\(name)\": 1 to \(EngineLimits.objectNameCharacters) letters, digits "
                    + "and -_. inside")
        }
    }

    private static func isLetterOrDigit(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: false
        }
    }
}
