import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.ObjectReader;
import com.fasterxml.jackson.databind.ObjectWriter;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.math.BigDecimal;
import java.time.Duration;
import java.time.LocalDate;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import org.apache.avro.generic.GenericRecord;
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
import org.apache.kafka.streams.kstream.KTable;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.SessionWindows;
import org.apache.kafka.streams.kstream.StreamJoined;
import org.apache.kafka.streams.kstream.TimeWindows;
import org.apache.kafka.streams.kstream.Windowed;
import org.apache.kafka.streams.kstream.WindowedSerdes;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.SessionStore;
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
  private static final TimeWindows TEN_SECONDS =
      TimeWindows.ofSizeAndGrace(Duration.ofSeconds(10), GRACE);
  private static final long DAY = 86_400_000;

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

  private static Serde<GenericRecord> avro(String registry) {
    return Serdes.serdeFrom(
        (topic, value) -> {
          throw new UnsupportedOperationException("the programs write JSON");
        },
        new AvroRecords(registry));
  }

  private static <T> KStream<Long, T> read(StreamsBuilder builder, String topic, Class<T> type) {
    return builder.stream(topic, Consumed.with(Serdes.Long(), json(type)));
  }

  private static <T> Materialized<Long, T, WindowStore<Bytes, byte[]>> windowsOf(Serde<T> serde) {
    return Materialized.with(Serdes.Long(), serde);
  }

  private static KStream<Windowed<Long>, Long> counts(
      KGroupedStream<Long, byte[]> grouped, TimeWindows windows) {
    return grouped.windowedBy(windows).count(windowsOf(Serdes.Long())).toStream();
  }

  private static BidderCount bidderCount(Windowed<Long> window, Long count) {
    if (count == null) {
      // A session that has become part of another.
      return null;
    }
    BidderCount found = new BidderCount();
    found.bidder = window.key();
    found.bid_count = count;
    found.starttime = window.window().start();
    return found;
  }

  private static Serde<Windowed<Long>> windows(long milliseconds) {
    return WindowedSerdes.timeWindowedSerdeFrom(Long.class, milliseconds);
  }

  private static Grouped<Long, byte[]> keysOnly() {
    return Grouped.with(Serdes.Long(), Serdes.ByteArray());
  }

  private static void build(
      StreamsBuilder builder, String program, String[] sources, String target, String registry) {
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
      case "vessels-avro":
        builder.stream(sources[0], Consumed.with(Serdes.String(), avro(registry)))
            .filter((key, position) -> (double) position.get("Speed") > 10)
            .mapValues(
                position -> {
                  Fast fast = new Fast();
                  fast.MMSI = (long) position.get("MMSI");
                  fast.Speed = (double) position.get("Speed");
                  fast.Long = (double) position.get("Longitude");
                  fast.Lat = (double) position.get("Latitude");
                  fast.Timestamp = (long) position.get("Timestamp");
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
      case "q7":
        read(builder, sources[0], Priced.class)
            .map((key, bid) -> KeyValue.pair(0L, bid.price))
            .groupByKey(Grouped.with(Serdes.Long(), Serdes.Long()))
            .windowedBy(TEN_SECONDS)
            .reduce(Math::max, windowsOf(Serdes.Long()))
            .toStream()
            .mapValues(
                (window, price) -> {
                  Highest found = new Highest();
                  found.maxprice = price;
                  found.starttime = window.window().start();
                  return found;
                })
            .to(target, Produced.with(windows(10_000), json(Highest.class)));
        break;
      case "q8":
        KTable<Windowed<Long>, Long> sold =
            read(builder, sources[1], Sold.class)
                .map((key, auction) -> KeyValue.pair(auction.seller, nothing))
                .groupByKey(keysOnly())
                .windowedBy(TEN_SECONDS)
                .count(windowsOf(Serdes.Long()));
        read(builder, sources[0], Person.class)
            .mapValues(person -> person.name)
            .groupByKey(Grouped.with(Serdes.Long(), Serdes.String()))
            .windowedBy(TEN_SECONDS)
            .reduce((name, same) -> same, windowsOf(Serdes.String()))
            .join(sold, (name, auctions) -> name)
            .toStream()
            .mapValues(
                (window, name) -> {
                  NewSeller found = new NewSeller();
                  found.id = window.key();
                  found.name = name;
                  found.starttime = window.window().start();
                  return found;
                })
            .to(target, Produced.with(windows(10_000), json(NewSeller.class)));
        break;
      case "q11":
        read(builder, sources[0], Bidder.class)
            .map((key, bid) -> KeyValue.pair(bid.bidder, nothing))
            .groupByKey(keysOnly())
            .windowedBy(SessionWindows.ofInactivityGapAndGrace(Duration.ofSeconds(10), GRACE))
            .count(
                Materialized.<Long, Long, SessionStore<Bytes, byte[]>>with(Serdes.Long(), Serdes.Long()))
            .toStream()
            .mapValues(StreamsPeer::bidderCount)
            .to(
                target,
                Produced.with(
                    WindowedSerdes.sessionWindowedSerdeFrom(Long.class), json(BidderCount.class)));
        break;
      case "q12":
        counts(
                read(builder, sources[0], Bidder.class)
                    .map((key, bid) -> KeyValue.pair(bid.bidder, nothing))
                    .groupByKey(keysOnly()),
                TEN_SECONDS)
            .mapValues(StreamsPeer::bidderCount)
            .to(target, Produced.with(windows(10_000), json(BidderCount.class)));
        break;
      case "q17":
        Serde<AuctionDay> days = json(AuctionDay.class);
        read(builder, sources[0], PricedAuction.class)
            .map((key, bid) -> KeyValue.pair(auctionDay(bid), bid.price))
            .groupByKey(Grouped.with(days, Serdes.Long()))
            .aggregate(
                Prices::new,
                (day, price, prices) -> prices.with(price),
                Materialized.<AuctionDay, Prices, KeyValueStore<Bytes, byte[]>>with(
                    days, json(Prices.class)))
            .toStream()
            .mapValues(StreamsPeer::auctionPrices)
            .to(target, Produced.with(days, json(AuctionPrices.class)));
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

  private static AuctionDay auctionDay(PricedAuction bid) {
    AuctionDay found = new AuctionDay();
    found.auction = bid.auction;
    found.day = LocalDate.ofEpochDay(bid.date_time / DAY).toString();
    return found;
  }

  private static AuctionPrices auctionPrices(AuctionDay day, Prices prices) {
    AuctionPrices found = new AuctionPrices();
    found.auction = day.auction;
    found.day = day.day;
    found.total_bids = prices.total_bids;
    found.rank1_bids = prices.rank1_bids;
    found.rank2_bids = prices.rank2_bids;
    found.rank3_bids = prices.rank3_bids;
    found.min_price = prices.min_price;
    found.max_price = prices.max_price;
    found.avg_price = (double) prices.sum_price / prices.total_bids;
    found.sum_price = prices.sum_price;
    return found;
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
    String registry = properties.getProperty("schema.registry.url");
    build(builder, arguments[0], arguments[2].split(","), arguments[1], registry);
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
