public import Primitives

extension LaunchConfiguration: LaunchCodable {
    public func write(to writer: inout ByteWriter) {
        writer.write(id)
        writer.write(stateFolder)
        writer.write(runFolder)
        cgroups.write(to: &writer)
        rootfs.write(to: &writer)
        writer.write(rootIsReadOnly)
        writer.write(mounts)
        writer.write(files)
        writer.write(devices)
        writer.write(hostname)
        writer.write(domainName)
        writer.write(sysctls)
        writer.write(maskedPaths)
        writer.write(readOnlyPaths)
        writer.write(sharedMemoryBytes)
        process.write(to: &writer)
        writer.write(usesInit)
        log.write(to: &writer)
    }

    public init(from reader: inout ByteReader) throws(DecodeError) {
        id = try reader.readText()
        stateFolder = try reader.readText()
        runFolder = try reader.readText()
        cgroups = try CgroupPlacement(from: &reader)
        rootfs = try RootFilesystem(from: &reader)
        rootIsReadOnly = try reader.readBool()
        mounts = try reader.readList()
        files = try reader.readList()
        devices = try reader.readList()
        hostname = try reader.readText()
        domainName = try reader.readText()
        sysctls = try reader.readList()
        maskedPaths = try reader.readTexts()
        readOnlyPaths = try reader.readTexts()
        sharedMemoryBytes = try reader.readUInt64()
        process = try ProcessConfiguration(from: &reader)
        usesInit = try reader.readBool()
        log = try LogConfiguration(from: &reader)
    }
}

extension CgroupPlacement: LaunchCodable {
    public func write(to writer: inout ByteWriter) {
        writer.write(unified)
        writer.write(legacy)
        writer.write(supervisor)
        writer.write(memoryEvents)
    }

    public init(from reader: inout ByteReader) throws(DecodeError) {
        unified = try reader.readOptionalText()
        legacy = try reader.readList()
        supervisor = try reader.readTexts()
        memoryEvents = try reader.readOptionalText()
    }
}

extension RootFilesystem: LaunchCodable {
    private enum Tag: UInt8 {
        case overlay = 0
        case folder = 1
    }

    public func write(to writer: inout ByteWriter) {
        switch self {
        case .overlay(let lower, let upper, let work):
            writer.write(Tag.overlay.rawValue)
            writer.write(lower)
            writer.write(upper)
            writer.write(work)
        case .folder(let path):
            writer.write(Tag.folder.rawValue)
            writer.write(path)
        }
    }

    public init(from reader: inout ByteReader) throws(DecodeError) {
        switch try reader.readCase(Tag.self) {
        case .overlay:
            self = .overlay(lower: try reader.readTexts(), upper: try reader.readText(), work: try reader.readText())
        case .folder:
            self = .folder(try reader.readText())
        }
    }
}

extension LaunchMount: LaunchCodable {
    private enum Tag: UInt8 {
        case bind = 0
        case tmpfs = 1
    }

    public func write(to writer: inout ByteWriter) {
        switch kind {
        case .bind(let source, let propagation, let isRecursive):
            writer.write(Tag.bind.rawValue)
            writer.write(source)
            writer.write(propagation.rawValue)
            writer.write(isRecursive)
        case .tmpfs(let sizeBytes, let mode):
            writer.write(Tag.tmpfs.rawValue)
            writer.write(sizeBytes)
            writer.write(mode)
        }
        writer.write(target)
        writer.write(isReadOnly)
    }

    public init(from reader: inout ByteReader) throws(DecodeError) {
        switch try reader.readCase(Tag.self) {
        case .bind:
            kind = .bind(
                source: try reader.readText(), propagation: try reader.readCase(), isRecursive: try reader.readBool())
        case .tmpfs:
            kind = .tmpfs(sizeBytes: try reader.readUInt64(), mode: try reader.readUInt32())
        }
        target = try reader.readText()
        isReadOnly = try reader.readBool()
    }
}

extension MemoryFile: LaunchCodable {
    public func write(to writer: inout ByteWriter) {
        writer.write(target)
        writer.writePrefixed(bytes: contents)
        writer.write(mode)
        writer.write(user)
        writer.write(group)
    }

    public init(from reader: inout ByteReader) throws(DecodeError) {
        target = try reader.readText()
        contents = Array(try reader.readPrefixedBytes(maximum: Limits.configurationBytesMax))
        mode = try reader.readUInt32()
        user = try reader.readUInt32()
        group = try reader.readUInt32()
    }
}

extension LaunchDevice: LaunchCodable {
    public func write(to writer: inout ByteWriter) {
        writer.write(path)
        writer.write(isBlock)
        writer.write(major)
        writer.write(minor)
        writer.write(mode)
    }

    public init(from reader: inout ByteReader) throws(DecodeError) {
        path = try reader.readText()
        isBlock = try reader.readBool()
        major = try reader.readUInt32()
        minor = try reader.readUInt32()
        mode = try reader.readUInt32()
    }
}

extension KeyValue: LaunchCodable {
    public func write(to writer: inout ByteWriter) {
        writer.write(key)
        writer.write(value)
    }

    public init(from reader: inout ByteReader) throws(DecodeError) {
        key = try reader.readText()
        value = try reader.readText()
    }
}

extension ProcessConfiguration: LaunchCodable {
    public func write(to writer: inout ByteWriter) {
        writer.write(arguments)
        writer.write(environment)
        writer.write(user)
        writer.write(groups)
        writer.write(workingDirectory)
        writer.write(capabilities)
        writer.write(noNewPrivileges)
        writer.writePrefixed(bytes: seccompFilter)
        writer.write(limits)
        writer.write(outOfMemoryScoreAdjustment)
    }

    public init(from reader: inout ByteReader) throws(DecodeError) {
        arguments = try reader.readTexts()
        environment = try reader.readTexts()
        user = try reader.readText()
        groups = try reader.readTexts()
        workingDirectory = try reader.readText()
        capabilities = try reader.readUInt64()
        noNewPrivileges = try reader.readBool()
        seccompFilter = Array(try reader.readPrefixedBytes(maximum: Limits.configurationBytesMax))
        limits = try reader.readList()
        outOfMemoryScoreAdjustment = try reader.readInt32()
    }
}

extension ResourceLimit: LaunchCodable {
    public func write(to writer: inout ByteWriter) {
        writer.write(name)
        writer.write(soft)
        writer.write(hard)
    }

    public init(from reader: inout ByteReader) throws(DecodeError) {
        name = try reader.readText()
        soft = try reader.readUInt64()
        hard = try reader.readUInt64()
    }
}

extension LogConfiguration: LaunchCodable {
    public func write(to writer: inout ByteWriter) {
        writer.write(path)
        writer.write(maximumBytes)
        writer.write(maximumFiles)
    }

    public init(from reader: inout ByteReader) throws(DecodeError) {
        path = try reader.readText()
        maximumBytes = try reader.readUInt64()
        maximumFiles = try reader.readUInt32()
    }
}
