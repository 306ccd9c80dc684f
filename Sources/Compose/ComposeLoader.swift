/// A compose file's name, for messages, and its bytes.
public struct ComposeFile: Hashable, Sendable {
    public var name: String
    public var bytes: [UInt8]

    public init(name: String, bytes: [UInt8]) {
        self.name = name
        self.bytes = bytes
    }
}

/// Reads compose files as `docker stack deploy` does, without touching disk or network.
public struct ComposeLoader: Sendable {
    /// The stack's name; nil takes the file's `name:`.
    public var stack: String?
    /// The variables of the caller.
    public var environment: [String: String]
    /// The folder that relative paths start from: the first compose file's. Absolute.
    public var folder: String
    /// Gives the bytes of an absolute path; what it throws becomes part of an error's message.
    public var readFile: @Sendable (String) throws -> [UInt8]

    public init(
        stack: String?, environment: [String: String], folder: String,
        readFile: @escaping @Sendable (String) throws -> [UInt8]
    ) {
        self.stack = stack
        self.environment = environment
        self.folder = folder
        self.readFile = readFile
    }

    /// Adds the variables of `.env` files: a later file's win over an earlier one's, the caller's over both.
    ///
    /// - Throws: ``ComposeError`` with line and column.
    public mutating func addEnvironment(dotEnv files: [ComposeFile]) throws(ComposeError) {
        var added: [String: String] = [:]
        for file in files {
            guard file.bytes.count <= ComposeLimits.fileBytes, let text = String(validating: file.bytes, as: UTF8.self)
            else {
                throw ComposeError(
                    "not UTF-8 text of at most \(ComposeLimits.fileBytes) bytes", at: Place(file: file.name))
            }
            let known = environment.merging(added) { own, _ in own }
            let found = try DotEnvironment.parse(text, file: file.name, environment: known)
            added.merge(found) { _, later in later }
        }
        environment.merge(added) { own, _ in own }
    }

    /// What the files together ask for.
    ///
    /// - Throws: ``ComposeError`` for the first thing that is wrong, with its place.
    public func load(_ files: [ComposeFile]) throws(ComposeError) -> StackPlan {
        var diagnostics = Diagnostics()
        let root = try merged(files, &diagnostics)
        let name = try stackName(root)
        var reader = StackReader(loader: self, stack: name, diagnostics: diagnostics)
        return try reader.read(root)
    }

    /// The files as one, variables replaced: a YAML text that loads as the same stack.
    ///
    /// - Throws: ``ComposeError`` for the first thing that is wrong, with its place.
    public func mergedText(_ files: [ComposeFile]) throws(ComposeError) -> String {
        var diagnostics = Diagnostics()
        let root = try merged(files, &diagnostics)
        // A file with a fault is not printed as if it were fine.
        var reader = StackReader(
            loader: self, stack: (try? stackName(root)) ?? "stack", diagnostics: diagnostics)
        _ = try reader.read(root)
        return root.element.yaml
    }

    private func merged(_ files: [ComposeFile], _ diagnostics: inout Diagnostics) throws(ComposeError) -> Field {
        guard let first = files.first else {
            throw ComposeError("no compose file is given", at: Place(file: "compose"))
        }
        guard files.count <= ComposeLimits.files else {
            throw ComposeError("more than \(ComposeLimits.files) compose files", at: Place(file: first.name))
        }
        var merged: Element?
        for file in files {
            var reader = YAMLReader(
                file: file.name, interpolation: Interpolation(variables: environment), diagnostics: diagnostics)
            let element = try reader.read(file.bytes)
            diagnostics = reader.diagnostics
            merged = merged.map { Merging.merge($0, element) } ?? element
        }
        return Field(root: merged ?? Element(content: .null, place: Place(file: first.name)))
    }

    private func stackName(_ root: Field) throws(ComposeError) -> String {
        var name = stack
        if name == nil, let field = root["name"] { name = try field.text() }
        guard let name else {
            throw ComposeError("the stack has no name: give one, or write name: at the file's top", at: root.place)
        }
        guard Names.isLabel(name), name.utf8.count < ComposeLimits.serviceNameCharacters else {
            throw ComposeError(
                "\"\(name)\" is not a stack's name: letters, digits, - and _ inside, fewer than "
                    + "\(ComposeLimits.serviceNameCharacters)", at: root["name"]?.place ?? root.place)
        }
        return name
    }
}

/// Names of the cluster's objects.
enum Names {
    /// Letters and digits, with - and _ inside.
    static func isLabel(_ name: String) -> Bool { isName(name, inside: "-_") }
    /// Letters and digits, with -, _ and . inside.
    static func isObjectName(_ name: String) -> Bool { isName(name, inside: "-_.") }

    private static func isName(_ name: String, inside: String) -> Bool {
        guard let first = name.utf8.first, let last = name.utf8.last else { return false }
        return isLetterOrDigit(first) && isLetterOrDigit(last)
            && name.utf8.allSatisfy { isLetterOrDigit($0) || inside.utf8.contains($0) }
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
