/// Every bound of this module.
enum SchemaLimits {
    /// Numbers of a malformed request that are tried one by one to find the one that is out of range.
    static let checkedNumbers = 256
}
