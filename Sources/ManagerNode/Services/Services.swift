public import GRPCCore

extension Manager {
    /// What a manager offers on its listener.
    public var services: [any RegistrableRPCService] {
        [
            RaftService(manager: self), ControlService(manager: self), IdentityService(manager: self),
            DispatcherService(manager: self),
        ]
    }
}
