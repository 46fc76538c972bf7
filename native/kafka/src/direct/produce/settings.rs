//! What a producer's properties say, as far as writing straight to the brokers goes.

use std::collections::BTreeMap;
use std::time::Duration;

use super::batch::Codec;
use crate::direct::connection::{addresses, client_id, plain};

/// The property that turns this off; librdkafka does not know it.
pub(crate) const PROPERTY: &str = "headrace.direct.produce";

/// Of the queue, so much is used at most: several requests to each broker, which has one at a time. More is only memory.
const MOST_ON_THE_WAY: usize = 2 << 20;

/// Properties under which librdkafka does something that this module does not.
const BEYOND: [&str; 6] = [
    "debug",
    "compression.level",
    "message.send.max.retries",
    "retries",
    "queue.buffering.backpressure.threshold",
    "enable.gapless.guarantee",
];
/// Names that librdkafka has for the same thing, the usual one first.
const TIMEOUT: [&str; 2] = ["message.timeout.ms", "delivery.timeout.ms"];
const ANSWER: [&str; 2] = ["request.timeout.ms", "socket.timeout.ms"];
const COMPRESSION: [&str; 2] = ["compression.type", "compression.codec"];
const ACKNOWLEDGEMENTS: [&str; 2] = ["acks", "request.required.acks"];

pub(crate) struct Settings {
    pub(super) client: String,
    /// The transactional id.
    pub(super) name: Option<String>,
    pub(super) bootstrap: Vec<(String, u16)>,
    pub(super) codec: Codec,
    pub(super) transaction_millis: i32,
    /// How long a broker may take to have a request on all replicas.
    pub(super) request_millis: i32,
    /// How long a record may be on its way.
    pub(super) delivery: Duration,
    /// How long a topic may be unknown.
    pub(super) propagation: Duration,
    /// How often the partitions of topics are looked at again.
    pub(super) refresh: Duration,
    pub(super) batch_bytes: usize,
    pub(super) batch_records: usize,
    pub(super) record_bytes: usize,
    /// At this many bytes or records on their way `send` waits.
    pub(super) most_bytes: usize,
    pub(super) most_records: usize,
}

impl Settings {
    /// None where properties ask for what only librdkafka does.
    pub(crate) fn of(properties: &BTreeMap<String, String>) -> Option<Self> {
        let get = |name: &str| properties.get(name).map(String::as_str);
        let any = |names: [&str; 2]| names.into_iter().find_map(get);
        let number = |text: Option<&str>, otherwise: u32| match text {
            Some(text) => text.parse::<u32>().ok(),
            None => Some(otherwise),
        };
        let millis = |millis: u32| Duration::from_millis(millis.into());
        let is_true = |word: &str| matches!(word, "true" | "t" | "1");
        let wanted = get(PROPERTY).is_none_or(|word| word != "false")
            && get("enable.idempotence").is_some_and(is_true)
            && any(ACKNOWLEDGEMENTS).is_none_or(|word| matches!(word, "all" | "-1"))
            && get("partitioner") == Some("murmur2_random")
            && !BEYOND.iter().any(|name| get(name).is_some());
        if !plain(properties) || !wanted {
            return None;
        }
        let transaction = number(get("transaction.timeout.ms"), 60_000)?;
        let name = get("transactional.id").map(str::to_owned);
        // As in librdkafka: a record does not outlive its transaction.
        let delivery = if name.is_some() { transaction } else { 300_000 };
        Some(Self {
            client: client_id(properties),
            name,
            bootstrap: addresses(get("bootstrap.servers")?)?,
            codec: Codec::of(any(COMPRESSION).unwrap_or("none"))?,
            transaction_millis: i32::try_from(transaction).ok()?,
            request_millis: i32::try_from(number(any(ANSWER), 30_000)?).ok()?,
            // 0 is without end in librdkafka.
            delivery: match number(any(TIMEOUT), delivery)? {
                0 => Duration::from_secs(u64::from(u32::MAX)),
                number => millis(number),
            },
            propagation: millis(number(get("topic.metadata.propagation.max.ms"), 30_000)?),
            refresh: millis(
                number(get("topic.metadata.refresh.interval.ms"), 300_000)
                    .unwrap_or(300_000)
                    .max(1000),
            ),
            batch_bytes: number(get("batch.size"), 1_000_000)? as usize,
            batch_records: number(get("batch.num.messages"), 100_000)? as usize,
            record_bytes: number(get("message.max.bytes"), 1_000_000)? as usize,
            most_bytes: ((number(get("queue.buffering.max.kbytes"), 65_536)? as usize) << 10)
                .min(MOST_ON_THE_WAY),
            most_records: number(get("queue.buffering.max.messages"), 200_000)?.max(1) as usize,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(more: &[(&str, &str)]) -> Option<Settings> {
        let usual = [
            ("bootstrap.servers", "PLAINTEXT://a:1, [::1]:2"),
            ("enable.idempotence", "true"),
            ("partitioner", "murmur2_random"),
        ];
        let all = usual.iter().chain(more);
        let properties = all.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Settings::of(&properties.collect())
    }

    #[test]
    fn what_only_librdkafka_does_is_left_to_it() {
        let usual = settings(&[]).expect("direct");
        assert_eq!(usual.bootstrap, [("a".into(), 1), ("::1".into(), 2)]);
        assert_eq!(usual.delivery, Duration::from_secs(300));
        for (name, value) in [
            (PROPERTY, "false"),
            ("enable.idempotence", "false"),
            ("acks", "1"),
            ("partitioner", "consistent"),
            ("security.protocol", "SASL_SSL"),
            ("compression.type", "zstd"),
            ("compression.level", "3"),
            ("debug", "all"),
            ("batch.size", "many"),
            ("bootstrap.servers", "SSL://a:1"),
        ] {
            assert!(settings(&[(name, value)]).is_none(), "{name}={value}");
        }
    }

    #[test]
    fn the_queue_is_small_and_can_be_smaller() {
        let most = |text| {
            let found = settings(&[("queue.buffering.max.kbytes", text)]).expect("direct");
            found.most_bytes
        };
        assert_eq!(most("65536"), MOST_ON_THE_WAY);
        assert_eq!(most("1"), 1024);
    }

    #[test]
    fn records_do_not_outlive_their_transaction() {
        let name = ("transactional.id", "a");
        let found = settings(&[name, ("transaction.timeout.ms", "10000")]).expect("direct");
        assert_eq!(found.delivery, Duration::from_secs(10));
        let found = settings(&[name, ("message.timeout.ms", "4000")]).expect("direct");
        assert_eq!(found.delivery, Duration::from_secs(4));
    }
}
