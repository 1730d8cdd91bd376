CREATE TABLE IF NOT EXISTS dead_letters${local} ${on_cluster}
(
    Id      String,
    Version UInt64,
    Gone    UInt8,
    DeadMs  UInt64,
    Header  String,
    Payload String,
    Reason  String
)
ENGINE = ${replacing}(Version)
ORDER BY Id
SETTINGS fsync_after_insert = ${fsync}
