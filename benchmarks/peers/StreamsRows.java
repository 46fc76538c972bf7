import java.math.BigDecimal;

// What the programs of StreamsPeer read, carry and write: of each record only the fields that are needed.

final class Position {
  public long MMSI;
  public double Speed;
  public double Longitude;
  public double Latitude;
  public long Timestamp;
}

final class Fast {
  public long MMSI;
  public double Speed;
  public double Long;
  public double Lat;
  public long Timestamp;
}

final class Bid {
  public long auction;
  public long bidder;
  public long price;
  public long date_time;
  public String extra;
}

final class Exchanged {
  public long auction;
  public long bidder;
  public BigDecimal price;
  public long date_time;
  public String extra;
}

final class Bidder {
  public long bidder;
}

final class Auctioned {
  public long auction;
}

final class WholeBid {
  public long auction;
  public long bidder;
  public long price;
  public String channel;
  public String url;
  public long date_time;
  public String extra;
}

final class Auction {
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

final class Offer {
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

final class BidderCount {
  public long bidder;
  public long bid_count;
  public long starttime;
}

final class AuctionCount {
  public long auction;
  public long num;
  public long starttime;
}

final class Total {
  public long payments;
}

final class AccountCount {
  public long payments;
  public long starttime;
}

final class Priced {
  public long price;
}

final class Highest {
  public long maxprice;
  public long starttime;
}

final class Person {
  public String name;
}

final class Sold {
  public long seller;
}

final class NewSeller {
  public long id;
  public String name;
  public long starttime;
}

final class PricedAuction {
  public long auction;
  public long price;
  public long date_time;
}

final class AuctionDay {
  public long auction;
  public String day;
}

final class Prices {
  public long total_bids;
  public long rank1_bids;
  public long rank2_bids;
  public long rank3_bids;
  public long min_price = Long.MAX_VALUE;
  public long max_price;
  public long sum_price;

  Prices with(long price) {
    total_bids++;
    if (price < 10_000) {
      rank1_bids++;
    } else if (price < 1_000_000) {
      rank2_bids++;
    } else {
      rank3_bids++;
    }
    min_price = Math.min(min_price, price);
    max_price = Math.max(max_price, price);
    sum_price += price;
    return this;
  }
}

final class AuctionPrices {
  public long auction;
  public String day;
  public long total_bids;
  public long rank1_bids;
  public long rank2_bids;
  public long rank3_bids;
  public long min_price;
  public long max_price;
  public double avg_price;
  public long sum_price;
}
