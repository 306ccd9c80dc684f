import Foundation

/// The process's terminal.
enum Console {
    static var isTerminal: Bool { isatty(STDOUT_FILENO) == 1 }

    /// Characters in a line; nil where nobody looks.
    static var width: Int? {
        guard isTerminal else { return nil }
        var size = winsize()
        guard ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return nil }
        return Int(size.ws_col)
    }

    static func line(_ text: String) { write(text + "\n", to: .standardOutput) }
    static func error(_ text: String) { write(text + "\n", to: .standardError) }
    static func write(bytes: some Sequence<UInt8>, toError: Bool = false) {
        write(Data(bytes), to: toError ? .standardError : .standardOutput)
    }

    /// Replaces the terminal's current line.
    static func status(_ text: String) { write("\r\u{1b}[K" + text, to: .standardOutput) }

    private static func write(_ text: String, to handle: FileHandle) { write(Data(text.utf8), to: handle) }

    private static func write(_ data: Data, to handle: FileHandle) {
        do {
            try handle.write(contentsOf: data)
        } catch {
            // The reader went away (`| head`): nothing is left to say.
            exit(0)
        }
    }
}
