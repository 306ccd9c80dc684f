import AsyncHTTPClient
import FoundationEssentials
import Glibc
import NIOCore
import NIOPosix
import NIOSSL
import Primitives

/// What went wrong between us and a registry, and whether the same request may succeed in a moment.
struct RegistryError: Error, CustomStringConvertible {
    var code: Failure.Code
    var description: String
    var isTransient: Bool
    /// What the person can do, if more than reading the reason.
    var advice: String?

    /// For people: which image, which registry, why.
    func failure(_ verb: String, _ reference: ImageReference) -> Failure {
        Failure(
            code,
            "cannot \(verb) \(reference.familiar): registry \(reference.registry): \(description)"
                + (advice.map { "; " + $0 } ?? ""))
    }
}

extension RegistryError {
    private struct Body: Decodable {
        struct Item: Decodable {
            var code: String?
            var message: String?
        }
        var errors: [Item]?
        /// GitHub's and token servers' form.
        var details: String?
        var message: String?
    }

    /// An answer that is not the expected one (distribution spec, error codes).
    init(status: UInt, body: [UInt8], hasCredentials: Bool) {
        let parsed = try? JSONDecoder().decode(Body.self, from: Data(body))
        let item = parsed?.errors?.first
        let said = item?.message ?? item?.code?.lowercased() ?? parsed?.details ?? parsed?.message
        description = (said ?? "the answer was HTTP status \(status)") + (said == nil ? "" : " (HTTP \(status))")
        isTransient = status == 408 || status == 429 || (500...504).contains(status)
        switch status {
        case 401:
            code = .unauthenticated
            advice = hasCredentials ? "check user name and password" : "log in, or check that the image exists"
        case 403:
            code = .permissionDenied
            advice = "these credentials may not do that, or the image does not exist"
        case 404:
            code = .notFound
            advice = "check the name and the tag"
        case 429:
            code = .unavailable
            advice = "the registry limits requests: try later or log in"
        default:
            code = isTransient ? .unavailable : .failedPrecondition
        }
    }

    /// A connection that could not be made, or broke.
    init(transport error: any Error) {
        code = .unavailable
        isTransient = true
        switch error {
        case let error as RegistryError:
            self = error
        case let error as NIOConnectionError:
            description = Self.describe(error)
        case let error as IOError:
            description = String(cString: strerror(error.errnoCode)).lowercased()
        case let error as NIOSSLError:
            description = "TLS handshake failed: \(error)"
            isTransient = false
            advice = "a registry without a valid certificate must be listed as insecure"
        case let error as BoringSSLError:
            description = "TLS failed: \(error)"
            isTransient = false
        case let error as HTTPClientError where error == .connectTimeout:
            description = "no connection within \(Limits.connectTimeoutSeconds) s"
        case let error as HTTPClientError where error == .readTimeout || error == .deadlineExceeded:
            description = "no answer within \(Limits.idleTimeoutSeconds) s"
        case let error as HTTPClientError where error == .remoteConnectionClosed:
            description = "the registry closed the connection"
        case let error as HTTPClientError:
            description = error.shortDescription
        case let error as ChannelError:
            description = "\(error)"
        default:
            description = "\(error)"
        }
    }

    private static func describe(_ error: NIOConnectionError) -> String {
        for failure in error.connectionErrors {
            if let cause = failure.error as? IOError { return String(cString: strerror(cause.errnoCode)).lowercased() }
            if case ChannelError.connectTimeout = failure.error {
                return "no connection within \(Limits.connectTimeoutSeconds) s"
            }
        }
        if error.dnsAError != nil || error.dnsAAAAError != nil { return "no such host: \(error.host)" }
        return "\(error)"
    }
}
