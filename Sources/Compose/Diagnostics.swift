/// Where something stands in a file.
public struct Place: Hashable, Sendable, CustomStringConvertible {
    /// As the user named it.
    public var file: String
    /// Counted from 1; 0 is the file as a whole.
    public var line: Int
    /// Unicode scalars, counted from 1.
    public var column: Int

    public init(file: String, line: Int = 0, column: Int = 0) {
        self.file = file
        self.line = line
        self.column = column
    }

    /// `compose.yml:12:5`.
    public var description: String { line == 0 ? file : "\(file):\(line):\(column)" }
    /// `compose.yml:12`.
    public var lineDescription: String { line == 0 ? file : "\(file):\(line)" }
}

/// Why a compose file cannot be deployed.
public struct ComposeError: Error, Hashable, Sendable, CustomStringConvertible {
    public var place: Place
    /// One line, without the place.
    public var message: String

    public init(_ message: String, at place: Place) {
        self.message = message
        self.place = place
    }

    /// `compose.yml:12:5: services.web.ports: …`.
    public var description: String { "\(place): \(message)" }
}

/// Something in a compose file that is not done, or done otherwise than asked for.
public struct ComposeWarning: Hashable, Sendable, CustomStringConvertible {
    public var place: Place
    /// One line, without the place.
    public var message: String

    public init(_ message: String, at place: Place) {
        self.message = message
        self.place = place
    }

    /// `compose.yml:12: services.web.devices is not supported and ignored`.
    public var description: String { "\(place.lineDescription): \(message)" }
}

/// The warnings so far, each once, in the order of the file's sections.
struct Diagnostics {
    private(set) var warnings: [ComposeWarning] = []
    private var seen: Set<ComposeWarning> = []

    mutating func warn(_ message: String, at place: Place) {
        // An alias leads to the same place again.
        let warning = ComposeWarning(message, at: place)
        if seen.insert(warning).inserted { warnings.append(warning) }
    }

    /// An `x-` key is the user's own and needs no word.
    mutating func unsupported(_ field: Field, advice: String = "") {
        guard !field.key.hasPrefix("x-") else { return }
        warn("\(field.path) is not supported and ignored" + advice, at: field.keyPlace)
    }
}
