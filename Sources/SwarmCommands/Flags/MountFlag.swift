import DockerSchema

/// `--mount type=volume|bind|tmpfs,source=…,target=…,readonly,…`.
enum MountFlag {
    static func parse(_ text: String) throws -> Docker.Mount {
        var mount = Docker.Mount(mountType: "volume")
        for (key, value) in try FlagValue.fields(text) {
            switch key {
            case "type": mount.mountType = value
            case "source", "src": mount.Source = value
            case "target", "dst", "destination": mount.Target = value
            case "readonly", "ro": mount.ReadOnly = FlagValue.boolean(value)
            case "consistency": mount.Consistency = value
            case "bind-propagation": mount.BindOptions = bind(mount) { $0.Propagation = value }
            case "bind-create-src":
                mount.BindOptions = bind(mount) { $0.CreateMountpoint = FlagValue.boolean(value) }
            case "volume-nocopy": mount.VolumeOptions = Docker.VolumeOptions(NoCopy: FlagValue.boolean(value))
            case "tmpfs-size":
                mount.TmpfsOptions = Docker.TmpfsOptions(
                    SizeBytes: try FlagValue.bytes(value), Mode: mount.TmpfsOptions?.Mode)
            case "tmpfs-mode":
                guard let mode = UInt32(value, radix: 8) else {
                    throw CommandFailure("mount \"\(text)\": tmpfs-mode \"\(value)\" is not octal")
                }
                mount.TmpfsOptions = Docker.TmpfsOptions(SizeBytes: mount.TmpfsOptions?.SizeBytes, Mode: mode)
            default: throw CommandFailure("mount \"\(text)\": \"\(key)\" is not known")
            }
        }
        guard mount.Target?.isEmpty == false else { throw CommandFailure("mount \"\(text)\": target is missing") }
        return mount
    }

    private static func bind(_ mount: Docker.Mount, _ change: (inout Docker.BindOptions) -> Void) -> Docker.BindOptions
    {
        var options = mount.BindOptions ?? Docker.BindOptions()
        change(&options)
        return options
    }
}
