import LaunchProtocol
import LinuxSystem

extension LaunchConfiguration {
    /// What the supervisor is told, from what the caller asked for.
    init(_ container: ContainerConfiguration, paths: ContainerPaths) {
        var process = ProcessConfiguration(arguments: container.arguments, environment: container.environment)
        func has(_ name: String) -> Bool { container.environment.contains { $0.hasPrefix(name + "=") } }
        if !container.hostname.isEmpty, !has("HOSTNAME") {
            process.environment.insert("HOSTNAME=" + container.hostname, at: 0)
        }
        if !has("PATH") { process.environment.insert(ContainerDefaults.path, at: 0) }
        process.user = container.user
        process.groups = container.additionalGroups
        process.workingDirectory = container.workingDirectory
        process.capabilities = container.capabilities.rawValue
        process.noNewPrivileges = container.noNewPrivileges
        process.seccompFilter = container.seccompFilter
        process.limits = container.resourceLimits
        process.outOfMemoryScoreAdjustment = container.outOfMemoryScoreAdjustment

        self.init(
            id: container.id, stateFolder: paths.stateFolder, runFolder: paths.runFolder,
            rootfs: .overlay(
                lower: container.layers, upper: paths.stateFolder + "/upper", work: paths.stateFolder + "/work"),
            process: process)
        cgroups = paths.placement
        rootIsReadOnly = container.rootIsReadOnly
        mounts = container.mounts + LaunchConfiguration.ownFiles(container, paths)
        files = container.files
        devices = container.devices
        hostname = container.hostname
        domainName = container.domainName
        sysctls = container.sysctls.sorted { $0.key < $1.key }.map { KeyValue($0.key, $0.value) }
        maskedPaths = container.maskedPaths
        readOnlyPaths = container.readOnlyPaths
        sharedMemoryBytes = container.sharedMemoryBytes
        usesInit = container.usesInit
        log = LogConfiguration(
            path: paths.logPath, maximumBytes: container.logMaximumBytes, maximumFiles: container.logMaximumFiles)
    }

    /// The files of /etc that are the container's own, by their names; a mount of the user's at the same place wins.
    static func ownFileTexts(_ container: ContainerConfiguration) -> [KeyValue] {
        var texts: [KeyValue] = []
        if let hosts = container.hostsFile { texts.append(KeyValue("hosts", hosts)) }
        if !container.hostname.isEmpty { texts.append(KeyValue("hostname", container.hostname + "\n")) }
        if let resolver = container.resolverFile { texts.append(KeyValue("resolv.conf", resolver)) }
        let taken = Set(container.mounts.map(\.target) + container.files.map(\.target))
        return texts.filter { !taken.contains("/etc/" + $0.key) }
    }

    private static func ownFiles(_ container: ContainerConfiguration, _ paths: ContainerPaths) -> [LaunchMount] {
        ownFileTexts(container).map {
            LaunchMount(
                .bind(source: paths.filesFolder + "/" + $0.key, propagation: .private, isRecursive: false),
                target: "/etc/" + $0.key)
        }
    }
}
