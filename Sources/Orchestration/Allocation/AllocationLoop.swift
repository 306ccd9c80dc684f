import ClusterModel
public import ClusterState
public import Primitives

/// Gives networks their subnet, nodes their ingress address, services their published ports, and tasks their addresses.
///
/// The one writer of `Network.allocation`, of `Service.ports`, and of a task's networks, ports and step from new to
/// pending. What cannot be given is said in the task's status, and given when something is freed.
public struct AllocationLoop: ControlLoop {
    /// Destinations that nodes reach by other ways: no network is cut from them.
    public var hostRoutes: [IPv4Network]
    /// Of networks made from now on, bytes.
    public var mtu: UInt16

    private var cursors: [NetworkID: UInt32] = [:]
    /// Tasks without addresses.
    private var waiting: Set<TaskID> = []
    private var isUnsettled = false

    public init(hostRoutes: [IPv4Network] = [], mtu: UInt16) {
        self.hostRoutes = hostRoutes
        self.mtu = mtu
    }

    public mutating func run(
        _ tables: ClusterTables, changes: [StateChange]?, now: Timestamp, random: inout SeededRandom
    ) -> LoopOutput {
        guard note(changes, tables) || isUnsettled else { return LoopOutput() }
        var batch = ChangeBatch()
        var book = AddressBook(tables, cursors: cursors)
        let networkFailures = allocateNetworks(tables, &batch)
        addNodes(tables, &book, &batch)
        let portFailures = choosePorts(tables, &batch)
        allocateTasks(tables, networkFailures, portFailures, now, &book, &batch)
        cursors = book.cursors
        isUnsettled = !batch.isEmpty
        return LoopOutput(transactions: batch.transactions(at: now))
    }

    /// Whether anything changed that this loop gives out or gets back.
    private mutating func note(_ changes: [StateChange]?, _ tables: ClusterTables) -> Bool {
        guard let changes else {
            waiting = []
            for task in tables.activeTasks where task.isUnallocated { waiting.insert(task.id) }
            return true
        }
        var isRelevant = false
        for change in changes {
            switch (change.before, change.after) {
            case (let before, .task(let task)):
                if !task.isUnallocated {
                    waiting.remove(task.id)
                } else if waiting.insert(task.id).inserted {
                    isRelevant = true
                }
                if case .task(let old) = before, !old.status.state.isTerminal, task.status.state.isTerminal {
                    isRelevant = true
                }
            case (.task(let task), _):
                waiting.remove(task.id)
                isRelevant = true
            case (.node(let before), .node(let after)): isRelevant = isRelevant || before.id != after.id
            case (.secret, _), (_, .secret), (.config, _), (_, .config): break
            case (.service(let before), .service(let after)):
                isRelevant = isRelevant || before.spec.ports != after.spec.ports || before.ports != after.ports
            default: isRelevant = true
            }
        }
        return isRelevant
    }

    private func allocateNetworks(_ tables: ClusterTables, _ batch: inout ChangeBatch) -> [NetworkID: Failure] {
        var failures: [NetworkID: Failure] = [:]
        var plan: NetworkPlan?
        let missing = tables.networks.sorted.filter { $0.allocation == nil }
            .sorted { ($0.meta.createdAt, $0.id) < ($1.meta.createdAt, $1.id) }
        for var network in missing {
            var current = plan ?? NetworkPlan(tables, hostRoutes: hostRoutes, mtu: mtu)
            do throws(Failure) {
                network.allocation = try current.allocate(network.spec)
                batch.add(.update(.network(network), bySpec: false))
            } catch {
                failures[network.id] = error
            }
            plan = current
        }
        return failures
    }

    /// Each node forwards published ports from an address of its own.
    private func addNodes(_ tables: ClusterTables, _ book: inout AddressBook, _ batch: inout ChangeBatch) {
        let nodes = tables.nodes.sorted.map(\.id)
        let members = Set(nodes)
        for network in tables.networks.sorted where network.spec.isIngress {
            guard var allocation = network.allocation else { continue }
            for (node, address) in allocation.nodeAddresses.sorted(by: { $0.key < $1.key })
            where !members.contains(node) {
                allocation.nodeAddresses[node] = nil
                book.release(address, of: network.id)
            }
            for node in nodes where allocation.nodeAddresses[node] == nil {
                // A full network leaves the node without; it is tried again when an address is freed.
                guard let address = try? book.take(from: network.id) else { break }
                allocation.nodeAddresses[node] = address
            }
            guard allocation != network.allocation else { continue }
            var network = network
            network.allocation = allocation
            batch.add(.update(.network(network), bySpec: false))
        }
    }

    private func choosePorts(_ tables: ClusterTables, _ batch: inout ChangeBatch) -> [ServiceID: Failure] {
        var failures: [ServiceID: Failure] = [:]
        let services = tables.services.sorted
            .sorted { ($0.meta.createdAt, $0.id) < ($1.meta.createdAt, $1.id) }
        var book = PublishedPorts.Book(services)
        for var service in services where !PublishedPorts.isChoice(service.ports, for: service.spec.ports) {
            do throws(Failure) {
                let ports = try PublishedPorts.choose(for: service, in: book)
                book.remove(service.id)
                service.ports = ports
                book.add(ports, of: service)
                batch.add(.update(.service(service), bySpec: false))
            } catch {
                failures[service.id] = error
            }
        }
        return failures
    }

    private func allocateTasks(
        _ tables: ClusterTables, _ networkFailures: [NetworkID: Failure], _ portFailures: [ServiceID: Failure],
        _ now: Timestamp, _ book: inout AddressBook, _ batch: inout ChangeBatch
    ) {
        let tasks = waiting.sorted().compactMap { tables.tasks[$0] }
            .sorted { ($0.meta.createdAt, $0.id) < ($1.meta.createdAt, $1.id) }
        if tasks.isEmpty { return }
        let ingress = tables.networks.sorted.first { $0.spec.isIngress }
        for var task in tasks where !batch.isFull {
            guard let service = tables.services[task.serviceID] else { continue }
            do throws(Failure) {
                if let failure = portFailures[service.id] { throw failure }
                guard PublishedPorts.isChoice(service.ports, for: service.spec.ports) else { continue }
                if task.serviceVersion == service.taskVersion { task.ports = service.ports }
                let wanted = try AllocationLoop.networks(of: task, ingress: ingress)
                for network in wanted {
                    if let failure = networkFailures[network.network] { throw failure }
                    guard tables.networks[network.network] != nil else {
                        throw Failure(.notFound, "network \(network.network) does not exist")
                    }
                }
                // A network of this round has its subnet in the next.
                guard wanted.allSatisfy({ book.has($0.network) }) else { continue }
                task.networks = try AllocationLoop.attach(wanted, &book)
                task.status.state = .pending
                task.status.timestamp = now
                task.status.message = "pending task scheduling"
                task.status.error = ""
                batch.add(.update(task))
            } catch {
                task = tables.tasks[task.id] ?? task
                guard task.status.error != error.message else { continue }
                task.status.error = error.message
                batch.add(.update(task))
            }
        }
    }

    /// The service's networks, and the ingress network for a task that takes published ports from there.
    private static func networks(
        of task: ClusterTask, ingress: Network?
    ) throws(Failure) -> [NetworkAttachmentSpec] {
        var wanted: [NetworkAttachmentSpec] = []
        for spec in task.spec.networks where !wanted.contains(where: { $0.network == spec.network }) {
            wanted.append(spec)
        }
        guard task.ports.contains(where: { $0.mode == .ingress }) else { return wanted }
        guard let ingress else {
            throw Failure(
                .failedPrecondition,
                "service \"\(task.serviceName)\" publishes ports, but there is no ingress network: create one or "
                    + "publish in host mode")
        }
        if !wanted.contains(where: { $0.network == ingress.id }) {
            wanted.append(NetworkAttachmentSpec(network: ingress.id))
        }
        return wanted
    }

    /// All addresses or none.
    private static func attach(
        _ wanted: [NetworkAttachmentSpec], _ book: inout AddressBook
    ) throws(Failure) -> [NetworkAttachment] {
        let before = book
        var attachments: [NetworkAttachment] = []
        do throws(Failure) {
            for spec in wanted {
                attachments.append(
                    NetworkAttachment(
                        network: spec.network, address: try book.take(from: spec.network), aliases: spec.aliases))
            }
        } catch {
            book = before
            throw error
        }
        return attachments
    }
}

extension ClusterTask {
    var isUnallocated: Bool { status.state == .new && isActive }
}
