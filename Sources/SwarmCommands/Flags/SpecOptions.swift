import ArgumentParser
import DockerSchema

/// The options of a service that hold one value: the same in `create` and `update`.
struct SpecOptions: ParsableArguments {
    @Option(help: "Number of tasks.") var replicas: UInt64?
    @Option(help: "Tasks of this service on one node at most (0: no limit).") var replicasMaxPerNode: UInt64?
    @Option(help: "Replaces the image's entrypoint; words at spaces.") var entrypoint: String?
    @Option(help: "Host name in the container; may be a template.") var hostname: String?
    @Option(name: [.customShort("u"), .long], help: "NAME|UID[:GROUP|GID].") var user: String?
    @Option(name: [.customShort("w"), .long], help: "Working directory.") var workdir: String?
    @Flag(name: .shortAndLong, inversion: .prefixedNo, help: "Allocate a terminal.") var tty: Bool?
    @Flag(name: .customLong("init"), inversion: .prefixedNo, help: "Run a small init that reaps processes.")
    var initProcess: Bool?
    @Flag(inversion: .prefixedNo, help: "Mount the root read-only.") var readOnly: Bool?
    @Flag(inversion: .prefixedNo, help: "Let no process gain privileges.") var noNewPrivileges: Bool?
    @Option(help: "Signal that stops the container.") var stopSignal: String?
    @Option(help: "Time before a stopping container is killed (10s).") var stopGracePeriod: String?
    @Option(help: "Out-of-memory preference, -1000 to 1000.") var oomScoreAdj: Int?
    @Option(help: "CPUs at most: 0.5.") var limitCpu: String?
    @Option(help: "Memory at most: 64M.") var limitMemory: String?
    @Option(help: "Processes at most (0: no limit).") var limitPids: Int64?
    @Option(help: "CPUs kept free for each task.") var reserveCpu: String?
    @Option(help: "Memory kept free for each task.") var reserveMemory: String?
    @Option(help: "vip or dnsrr.") var endpointMode: String?
    @Option(help: "Log driver.") var logDriver: String?
    @Option(name: .customLong("log-opt"), help: "Log driver option KEY=VALUE.") var logOptions: [String] = []
    @OptionGroup(title: "Health") var health: HealthOptions
    @OptionGroup(title: "Restart") var restart: RestartOptions
    @OptionGroup(title: "Updates") var update: UpdateOptions
    @OptionGroup(title: "Rollbacks") var rollback: RollbackOptions

    /// Writes what was given, and nothing else.
    func apply(to spec: inout Docker.ServiceSpec) throws {
        if let replicas {
            guard spec.Mode?.Global == nil else {
                throw CommandFailure("a global service has no --replicas: it runs on every eligible node")
            }
            spec.Mode = Docker.ServiceMode(Replicated: Docker.ReplicatedService(Replicas: replicas))
        }
        var task = spec.TaskTemplate ?? Docker.TaskSpec()
        var container = task.ContainerSpec ?? Docker.ContainerSpec()
        try apply(to: &container)
        task.ContainerSpec = container
        try applyResources(to: &task)
        if let replicasMaxPerNode {
            var placement = task.Placement ?? Docker.Placement()
            placement.MaxReplicas = replicasMaxPerNode
            task.Placement = placement
        }
        if logDriver != nil || !logOptions.isEmpty {
            task.LogDriver = Docker.Driver(
                Name: logDriver ?? task.LogDriver?.Name ?? "json-file", Options: try FlagValue.pairs(logOptions))
        }
        task.RestartPolicy = try restart.applied(to: task.RestartPolicy)
        spec.TaskTemplate = task
        spec.UpdateConfig = try update.values.applied(to: spec.UpdateConfig)
        spec.RollbackConfig = try rollback.values.applied(to: spec.RollbackConfig)
        if let endpointMode {
            spec.EndpointSpec = Docker.EndpointSpec(Mode: endpointMode, Ports: spec.EndpointSpec?.Ports)
        }
    }

    private func apply(to container: inout Docker.ContainerSpec) throws {
        if let entrypoint { container.Command = entrypoint.split(separator: " ").map(String.init) }
        container.Hostname = hostname ?? container.Hostname
        container.User = user ?? container.User
        container.Dir = workdir ?? container.Dir
        container.TTY = tty ?? container.TTY
        container.Init = initProcess ?? container.Init
        container.ReadOnly = readOnly ?? container.ReadOnly
        container.StopSignal = stopSignal ?? container.StopSignal
        container.StopGracePeriod = try stopGracePeriod.map(FlagValue.duration) ?? container.StopGracePeriod
        container.OomScoreAdj = oomScoreAdj ?? container.OomScoreAdj
        if let noNewPrivileges { container.Privileges = Docker.Privileges(NoNewPrivileges: noNewPrivileges) }
        container.Healthcheck = try health.applied(to: container.Healthcheck)
    }

    private func applyResources(to task: inout Docker.TaskSpec) throws {
        var resources = task.Resources ?? Docker.ResourceRequirements()
        var limits = resources.Limits ?? Docker.Resources()
        limits.NanoCPUs = try limitCpu.map(FlagValue.nanoCPUs) ?? limits.NanoCPUs
        limits.MemoryBytes = try limitMemory.map(FlagValue.bytes) ?? limits.MemoryBytes
        limits.Pids = limitPids ?? limits.Pids
        var reservations = resources.Reservations ?? Docker.Resources()
        reservations.NanoCPUs = try reserveCpu.map(FlagValue.nanoCPUs) ?? reservations.NanoCPUs
        reservations.MemoryBytes = try reserveMemory.map(FlagValue.bytes) ?? reservations.MemoryBytes
        resources.Limits = limits
        resources.Reservations = reservations
        task.Resources = resources
    }
}

struct HealthOptions: ParsableArguments {
    @Option(help: "Command line that tells whether the container is healthy.") var healthCmd: String?
    @Option(help: "Time between two checks.") var healthInterval: String?
    @Option(help: "Time a check may take.") var healthTimeout: String?
    @Option(help: "Time in which failures do not count yet.") var healthStartPeriod: String?
    @Option(help: "Time between two checks in the start period.") var healthStartInterval: String?
    @Option(help: "Failures in a row that make it unhealthy.") var healthRetries: Int?
    @Flag(help: "Do not run the image's check.") var noHealthcheck = false

    func applied(to current: Docker.HealthConfig?) throws -> Docker.HealthConfig? {
        var check = current ?? Docker.HealthConfig()
        if noHealthcheck {
            guard healthCmd == nil else { throw CommandFailure("--no-healthcheck contradicts --health-cmd") }
            check.Test = ["NONE"]
            return check
        }
        if let healthCmd { check.Test = healthCmd.isEmpty ? [] : ["CMD-SHELL", healthCmd] }
        check.Interval = try healthInterval.map(FlagValue.duration) ?? check.Interval
        check.Timeout = try healthTimeout.map(FlagValue.duration) ?? check.Timeout
        check.StartPeriod = try healthStartPeriod.map(FlagValue.duration) ?? check.StartPeriod
        check.StartInterval = try healthStartInterval.map(FlagValue.duration) ?? check.StartInterval
        check.Retries = healthRetries ?? check.Retries
        return check == Docker.HealthConfig() ? nil : check
    }
}

struct RestartOptions: ParsableArguments {
    @Option(help: "none, on-failure or any (any).") var restartCondition: String?
    @Option(help: "Time between two starts (5s).") var restartDelay: String?
    @Option(help: "Restarts at most (0: no limit).") var restartMaxAttempts: UInt64?
    @Option(help: "Time in which restarts are counted.") var restartWindow: String?

    func applied(to current: Docker.RestartPolicy?) throws -> Docker.RestartPolicy? {
        var policy = current ?? Docker.RestartPolicy()
        policy.Condition = restartCondition ?? policy.Condition
        policy.Delay = try restartDelay.map(FlagValue.duration) ?? policy.Delay
        policy.MaxAttempts = restartMaxAttempts ?? policy.MaxAttempts
        policy.Window = try restartWindow.map(FlagValue.duration) ?? policy.Window
        return policy == Docker.RestartPolicy() ? nil : policy
    }
}

struct UpdateOptions: ParsableArguments {
    @Option(help: "Tasks replaced at a time (1; 0: all).") var updateParallelism: UInt64?
    @Option(help: "Pause between two batches.") var updateDelay: String?
    @Option(help: "stop-first or start-first.") var updateOrder: String?
    @Option(help: "pause, continue or rollback (pause).") var updateFailureAction: String?
    @Option(help: "Share of failed tasks that is tolerated, 0 to 1.") var updateMaxFailureRatio: Double?
    @Option(help: "How long a new task is watched (5s).") var updateMonitor: String?

    var values: UpdateValues {
        UpdateValues(
            parallelism: updateParallelism, delay: updateDelay, order: updateOrder, action: updateFailureAction,
            ratio: updateMaxFailureRatio, monitor: updateMonitor)
    }
}

struct RollbackOptions: ParsableArguments {
    @Option(help: "Tasks rolled back at a time (1; 0: all).") var rollbackParallelism: UInt64?
    @Option(help: "Pause between two batches.") var rollbackDelay: String?
    @Option(help: "stop-first or start-first.") var rollbackOrder: String?
    @Option(help: "pause or continue (pause).") var rollbackFailureAction: String?
    @Option(help: "Share of failed tasks that is tolerated, 0 to 1.") var rollbackMaxFailureRatio: Double?
    @Option(help: "How long a new task is watched (5s).") var rollbackMonitor: String?

    var values: UpdateValues {
        UpdateValues(
            parallelism: rollbackParallelism, delay: rollbackDelay, order: rollbackOrder,
            action: rollbackFailureAction, ratio: rollbackMaxFailureRatio, monitor: rollbackMonitor)
    }
}

/// What update and rollback options say.
struct UpdateValues {
    var parallelism: UInt64?
    var delay: String?
    var order: String?
    var action: String?
    var ratio: Double?
    var monitor: String?

    func applied(to current: Docker.UpdateConfig?) throws -> Docker.UpdateConfig? {
        let isGiven =
            parallelism != nil || delay != nil || order != nil || action != nil || ratio != nil || monitor != nil
        guard isGiven else { return current }
        // Without a number the API means: all at once; without the option we mean one by one.
        var config = current ?? Docker.UpdateConfig(Parallelism: 1)
        config.Parallelism = parallelism ?? config.Parallelism
        config.Delay = try delay.map(FlagValue.duration) ?? config.Delay
        config.Order = order ?? config.Order
        config.FailureAction = action ?? config.FailureAction
        config.MaxFailureRatio = ratio ?? config.MaxFailureRatio
        config.Monitor = try monitor.map(FlagValue.duration) ?? config.Monitor
        return config
    }
}
