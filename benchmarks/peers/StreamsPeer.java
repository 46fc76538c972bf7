import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.ObjectReader;
import com.fasterxml.jackson.databind.ObjectWriter;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.math.BigDecimal;
import java.time.Duration;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.JoinWindows;
import org.apache.kafka.streams.kstream.KGroupedStream;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.StreamJoined;
import org.apache.kafka.streams.kstream.TimeWindows;
import org.apache.kafka.streams.kstream.Windowed;
import org.apache.kafka.streams.kstream.WindowedSerdes;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.WindowStore;

/**
 * The programs of the benchmark in the DSL of Kafka Streams, as its documentation has them: Jackson into plain classes
 * that have only the fields a program reads, keys chosen before repartitioning with nothing else carried along.
 *
 * <p>Arguments: program, target, sources by commas, then settings of Streams as name=value. Runs until SIGTERM.
 */
public final class StreamsPeer {
  private static final ObjectMapper MAPPER =
      new ObjectMapper().configure(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES, false);
  private static final Duration GRACE = Duration.ofMinutes(5);

  public static class Position {
    public long MMSI;
    public double Speed;
    public double Longitude;
    public double Latitude;
    public long Timestamp;
  }

  public static class Fast {
    public long MMSI;
    public double Speed;
    public double Long;
    public double Lat;
    public long Timestamp;
  }

  public static class Bid {
    public long auction;
    public long bidder;
    public long price;
    public long date_time;
    public String extra;
  }

  public static class Exchanged {
    public long auction;
    public long bidder;
    public BigDecimal price;
    public long date_time;
    public String extra;
  }

  public static class Bidder {
    public long bidder;
  }

  public static class Auctioned {
    public long auction;
  }

  public static class WholeBid {
    public long auction;
    public long bidder;
    public long price;
    public String channel;
    public String url;
    public long date_time;
    public String extra;
  }

  public static class Auction {
    public long id;
    public String item_name;
    public String description;
    public long initial_bid;
    public long reserve;
    public long date_time;
    public long expires;
    public long seller;
    public long category;
    public String extra;
  }

  public static class Offer {
    public long auction;
    public long bidder;
    public long price;
    public String channel;
    public String url;
    public long bid_time;
    public String bid_extra;
    public String item_name;
    public String description;
    public long initial_bid;
    public long reserve;
    public long auction_time;
    public long expires;
    public long seller;
    public long category;
    public String auction_extra;
  }

  public static class BidderCount {
    public long bidder;
    public long bid_count;
    public long starttime;
  }

  public static class AuctionCount {
    public long auction;
    public long num;
    public long starttime;
  }

  public static class Total {
    public long payments;
  }

  public static class AccountCount {
    public long payments;
    public long starttime;
  }

  private static <T> Serde<T> json(Class<T> type) {
    ObjectReader reader = MAPPER.readerFor(type);
    ObjectWriter writer = MAPPER.writerFor(type);
    return Serdes.serdeFrom(
        (topic, value) -> {
          try {
            return value == null ? null : writer.writeValueAsBytes(value);
          } catch (IOException error) {
            throw new UncheckedIOException(error);
          }
        },
        (topic, bytes) -> {
          try {
            return bytes == null ? null : reader.readValue(bytes);
          } catch (IOException error) {
            throw new UncheckedIOException(error);
          }
        });
  }

  private static <T> KStream<Long, T> read(StreamsBuilder builder, String topic, Class<T> type) {
    return builder.stream(topic, Consumed.with(Serdes.Long(), json(type)));
  }

  private static KStream<Windowed<Long>, Long> counts(
      KGroupedStream<Long, byte[]> grouped, TimeWindows windows) {
    return grouped
        .windowedBy(windows)
        .count(Materialized.<Long, Long, WindowStore<Bytes, byte[]>>with(Serdes.Long(), Serdes.Long()))
        .toStream();
  }

  private static Serde<Windowed<Long>> windows(long milliseconds) {
    return WindowedSerdes.timeWindowedSerdeFrom(Long.class, milliseconds);
  }

  private static Grouped<Long, byte[]> keysOnly() {
    return Grouped.with(Serdes.Long(), Serdes.ByteArray());
  }

  private static void build(StreamsBuilder builder, String program, String[] sources, String target) {
    byte[] nothing = new byte[0];
    switch (program) {
      case "vessels":
        builder.stream(sources[0], Consumed.with(Serdes.String(), json(Position.class)))
            .filter((key, position) -> position.Speed > 10)
            .mapValues(
                position -> {
                  Fast fast = new Fast();
                  fast.MMSI = position.MMSI;
                  fast.Speed = position.Speed;
                  fast.Long = position.Longitude;
                  fast.Lat = position.Latitude;
                  fast.Timestamp = position.Timestamp;
                  return fast;
                })
            .to(target, Produced.with(Serdes.String(), json(Fast.class)));
        break;
      case "q1":
        BigDecimal rate = new BigDecimal("0.908");
        read(builder, sources[0], Bid.class)
            .mapValues(
                bid -> {
                  Exchanged exchanged = new Exchanged();
                  exchanged.auction = bid.auction;
                  exchanged.bidder = bid.bidder;
                  exchanged.price = rate.multiply(BigDecimal.valueOf(bid.price));
                  exchanged.date_time = bid.date_time;
                  exchanged.extra = bid.extra;
                  return exchanged;
                })
            .to(target, Produced.with(Serdes.Long(), json(Exchanged.class)));
        break;
      case "payments":
        // Nothing of the value is counted, so nothing of it is decoded.
        counts(
                builder.stream(sources[0], Consumed.with(Serdes.Long(), Serdes.ByteArray()))
                    .mapValues(value -> nothing)
                    .groupByKey(keysOnly()),
                TimeWindows.ofSizeAndGrace(Duration.ofMinutes(1), GRACE))
            .mapValues(
                (window, count) -> {
                  AccountCount found = new AccountCount();
                  found.payments = count;
                  found.starttime = window.window().start();
                  return found;
                })
            .to(target, Produced.with(windows(60_000), json(AccountCount.class)));
        break;
      case "totals":
        builder.stream(sources[0], Consumed.with(Serdes.Long(), Serdes.ByteArray()))
            .mapValues(value -> nothing)
            .groupByKey(keysOnly())
            .count(Materialized.<Long, Long, KeyValueStore<Bytes, byte[]>>with(Serdes.Long(), Serdes.Long()))
            .toStream()
            .mapValues(
                count -> {
                  Total found = new Total();
                  found.payments = count;
                  return found;
                })
            .to(target, Produced.with(Serdes.Long(), json(Total.class)));
        break;
      case "q5":
        counts(
                read(builder, sources[0], Auctioned.class)
                    .map((key, bid) -> KeyValue.pair(bid.auction, nothing))
                    .groupByKey(keysOnly()),
                TimeWindows.ofSizeAndGrace(Duration.ofSeconds(10), GRACE).advanceBy(Duration.ofSeconds(2)))
            .mapValues(
                (window, count) -> {
                  AuctionCount found = new AuctionCount();
                  found.auction = window.key();
                  found.num = count;
                  found.starttime = window.window().start();
                  return found;
                })
            .to(target, Produced.with(windows(10_000), json(AuctionCount.class)));
        break;
      case "q12":
        counts(
                read(builder, sources[0], Bidder.class)
                    .map((key, bid) -> KeyValue.pair(bid.bidder, nothing))
                    .groupByKey(keysOnly()),
                TimeWindows.ofSizeAndGrace(Duration.ofSeconds(10), GRACE))
            .mapValues(
                (window, count) -> {
                  BidderCount found = new BidderCount();
                  found.bidder = window.key();
                  found.bid_count = count;
                  found.starttime = window.window().start();
                  return found;
                })
            .to(target, Produced.with(windows(10_000), json(BidderCount.class)));
        break;
      case "q20":
        Serde<WholeBid> bids = json(WholeBid.class);
        KStream<Long, Auction> auctions =
            read(builder, sources[1], Auction.class).filter((key, auction) -> auction.category == 10);
        builder.stream(sources[0], Consumed.with(Serdes.Long(), bids))
            .selectKey((key, bid) -> bid.auction)
            .join(
                auctions,
                StreamsPeer::offer,
                JoinWindows.ofTimeDifferenceAndGrace(Duration.ofDays(1), GRACE),
                StreamJoined.with(Serdes.Long(), bids, json(Auction.class)))
            .to(target, Produced.with(Serdes.Long(), json(Offer.class)));
        break;
      default:
        throw new IllegalArgumentException(program);
    }
  }

  private static Offer offer(WholeBid bid, Auction auction) {
    Offer offer = new Offer();
    offer.auction = bid.auction;
    offer.bidder = bid.bidder;
    offer.price = bid.price;
    offer.channel = bid.channel;
    offer.url = bid.url;
    offer.bid_time = bid.date_time;
    offer.bid_extra = bid.extra;
    offer.item_name = auction.item_name;
    offer.description = auction.description;
    offer.initial_bid = auction.initial_bid;
    offer.reserve = auction.reserve;
    offer.auction_time = auction.date_time;
    offer.expires = auction.expires;
    offer.seller = auction.seller;
    offer.category = auction.category;
    offer.auction_extra = auction.extra;
    return offer;
  }

  public static void main(String[] arguments) throws InterruptedException {
    Properties properties = new Properties();
    for (int number = 3; number < arguments.length; number++) {
      String[] setting = arguments[number].split("=", 2);
      properties.put(setting[0], setting[1]);
    }
    StreamsBuilder builder = new StreamsBuilder();
    build(builder, arguments[0], arguments[2].split(","), arguments[1]);
    CountDownLatch ended = new CountDownLatch(1);
    boolean[] failed = {false};
    KafkaStreams streams = new KafkaStreams(builder.build(properties), new StreamsConfig(properties));
    streams.setUncaughtExceptionHandler(
        error -> {
          error.printStackTrace();
          failed[0] = true;
          ended.countDown();
          return StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
        });
    Runtime.getRuntime()
        .addShutdownHook(
            new Thread(
                () -> {
                  streams.close(Duration.ofSeconds(60));
                  ended.countDown();
                }));
    streams.start();
    ended.await();
    if (failed[0]) {
      Runtime.getRuntime().halt(1);
    }
  }
}
