import ClusterState
import DockerSchema
import HTTPTypes
import Hummingbird
import NIOCore
import Primitives

extension EngineAPI {
    /// One JSON object a line, until the client goes or the asked-for time is over.
    func events(_ exchange: Exchange) async throws -> Response {
        if let refusal = DockerTexts.refusal(of: await cluster.membership()) { throw refusal }
        let (since, until) = (try exchange.query.time("since"), try exchange.query.time("until"))
        let filter = try EventFilter(exchange.query)
        let events = try await cluster.events(since: since, until: until)
        let body = exchange.request.body
        return Response(
            // Watching the reader takes the connection: no further request of it would be read.
            status: .ok, headers: [.contentType: "application/json", .connection: "close"],
            body: ResponseBody { writer in
                // A reader that went away must not keep the stream and its buffer.
                try await body.consumeWithCancellationOnInboundClose { _ in
                    try await Self.write(events, filter, to: &writer)
                }
                try await writer.finish(nil)
            })
    }

    @concurrent
    private static func write(
        _ events: AsyncThrowingStream<ClusterEvent, any Error>, _ filter: EventFilter,
        to writer: inout any ResponseBodyWriter
    ) async throws {
        do {
            for try await event in events where filter.allows(event) {
                try await writer.write(try line(Docker.Event(event)))
            }
        } catch let failure as Failure {
            // The status is sent already; this is the form that Docker's other streams end with.
            try await writer.write(try line(Docker.StreamError(failure.description)))
        }
    }

    private static func line(_ value: some Encodable) throws -> ByteBuffer {
        ByteBuffer(bytes: try DockerJSON.encode(value) + [UInt8(ascii: "\n")])
    }
}

/// Docker's filters of events.
struct EventFilter: Sendable {
    private let filters: Filters

    private static let subjects = ClusterEvent.Kind.allCases.map(\.rawValue)

    init(_ query: Query) throws(Failure) {
        // What names things of a node's own matches nothing here.
        let local = ["container", "daemon", "image", "plugin", "volume"]
        filters = try Filters(
            query, allowed: Set(EventFilter.subjects + local + ["event", "label", "scope", "type"]))
        for key in local where !filters[key].isEmpty {
            throw Failure(
                .invalidArgument, "invalid filter '\(key)': there are events of the cluster only (scope=swarm)")
        }
    }

    func allows(_ event: ClusterEvent) -> Bool {
        filters.allowsExact("type", event.kind.rawValue) && filters.allowsExact("event", event.action.rawValue)
            && filters.allowsExact("scope", "swarm") && filters.allowsLabels("label", event.labels)
            && EventFilter.subjects.allSatisfy { subject in
                filters.allows(subject) { EventFilter.isAbout(event, subject, $0) }
            }
    }

    /// Of its own kind by id or name; a task's events also by its service and node.
    private static func isAbout(_ event: ClusterEvent, _ subject: String, _ wanted: String) -> Bool {
        if event.kind.rawValue == subject { return event.id.hasPrefix(wanted) || event.attributes["name"] == wanted }
        guard event.kind == .task, let id = event.attributes[subject + "id"] else { return false }
        return id.hasPrefix(wanted) || event.attributes[subject] == wanted
    }
}

extension Docker.Event {
    init(_ event: ClusterEvent) {
        self.init(
            type: event.kind.rawValue, action: event.action.rawValue, id: event.id, attributes: event.attributes,
            nanoseconds: event.time.nanoseconds)
    }
}
