import ArgumentParser
import DockerSchema

/// How a list is printed.
struct OutputOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "table, json, 'table TEMPLATE' or TEMPLATE with fields such as {{.Name}}.", valueName: "format"))
    var format: String?

    @Flag(name: .shortAndLong, help: "Print ids (or names) only.")
    var quiet = false

    @Flag(name: .customLong("no-trunc"), help: "Do not shorten ids and cells.")
    var isWhole = false
}

/// A list of objects as named fields.
struct Listing {
    /// The columns of the table, in order.
    var columns: [(title: String, field: String)]
    /// Fields beside the columns that a format may name are in the rows too.
    var rows: [[String: String]]
    /// What `-q` prints.
    var key = "ID"

    func print(_ options: OutputOptions) throws {
        for line in try lines(options, width: options.isWhole ? nil : Console.width) { Console.line(line) }
    }

    func lines(_ options: OutputOptions, width: Int?) throws -> [String] {
        if options.quiet { return rows.map { $0[key] ?? "" } }
        guard let format = options.format, format != "table" else {
            let body = rows.map { row in columns.map { row[$0.field] ?? "" } }
            return Table(rows: [columns.map(\.title)] + body).lines(width: width)
        }
        if format == "json" { return try rows.map { try DockerJSON.text($0) } }
        let isTable = format.hasPrefix("table ")
        let template = try Template(isTable ? String(format.dropFirst(6)) : format)
        let body = try rows.map { try template.render(.object($0.mapValues(JSONValue.string)), strict: true) }
        guard isTable else { return body }
        let heading = template.heading { field in
            columns.first { $0.field == field }?.title ?? field.uppercased()
        }
        let cells = ([heading] + body).map { line in
            line.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
        }
        return Table(rows: cells).lines(width: width)
    }
}

/// Prints what `inspect` found: a JSON list, or each object through a template.
enum Inspection {
    static func print(_ objects: [JSONValue], format: String?) throws {
        guard let format, format != "json" else {
            Console.line(try DockerJSON.text(JSONValue.array(objects), pretty: format == nil))
            return
        }
        let template = try Template(format)
        for object in objects { Console.line(try template.render(object)) }
    }
}

extension String {
    /// The first characters of an id.
    func shortID(_ isWhole: Bool) -> String { isWhole ? self : String(prefix(CommandLimits.shortIDCharacters)) }
}
