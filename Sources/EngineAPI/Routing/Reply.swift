import DockerSchema
import HTTPTypes
import Hummingbird
import NIOCore
import Primitives

/// Makes responses in Docker's shapes.
enum Reply {
    static func json(_ value: some Encodable, status: HTTPResponse.Status = .ok) throws -> Response {
        var bytes = try DockerJSON.encode(value)
        bytes.append(UInt8(ascii: "\n"))
        return Response(
            status: status, headers: [.contentType: "application/json"],
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes)))
    }

    static func empty(_ status: HTTPResponse.Status = .ok) -> Response {
        Response(status: status)
    }

    static func failure(_ error: any Error) -> Response {
        let failure = error as? Failure ?? Failure(.internal, "\(error)")
        let status = HTTPResponse.Status(code: statusCode(of: failure.code))
        return (try? json(Docker.ErrorBody(message: failure.description), status: status)) ?? empty(status)
    }

    /// Docker's status for each kind of failure (moby's mapping of gRPC codes; a stale version is 409 here).
    static func statusCode(of code: Failure.Code) -> Int {
        switch code {
        case .invalidArgument, .failedPrecondition: 400
        case .unauthenticated: 401
        case .permissionDenied: 403
        case .notFound: 404
        case .alreadyExists, .conflict: 409
        case .unimplemented: 501
        case .unavailable, .unknown: 503
        case .deadlineExceeded: 504
        default: 500
        }
    }
}
