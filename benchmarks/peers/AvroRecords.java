import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.nio.ByteBuffer;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericDatumReader;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.io.BinaryDecoder;
import org.apache.avro.io.DecoderFactory;
import org.apache.kafka.common.serialization.Deserializer;

/**
 * Reads generic records in the wire format of Confluent's serializers: a zero byte, four bytes with the id of the schema, the
 * record. Each schema is asked for once. There is no such class on Maven Central that needs nothing else.
 */
final class AvroRecords implements Deserializer<GenericRecord> {
  private static final int HEAD = 5;
  private final String registry;
  private final Map<Integer, GenericDatumReader<GenericRecord>> readers = new ConcurrentHashMap<>();
  private final ThreadLocal<BinaryDecoder> decoders = new ThreadLocal<>();

  AvroRecords(String registry) {
    this.registry = registry;
  }

  @Override
  public GenericRecord deserialize(String topic, byte[] bytes) {
    if (bytes == null) {
      return null;
    }
    int id = ByteBuffer.wrap(bytes, 1, 4).getInt();
    BinaryDecoder decoder =
        DecoderFactory.get().binaryDecoder(bytes, HEAD, bytes.length - HEAD, decoders.get());
    decoders.set(decoder);
    try {
      return readers.computeIfAbsent(id, this::reader).read(null, decoder);
    } catch (IOException error) {
      throw new UncheckedIOException(error);
    }
  }

  private GenericDatumReader<GenericRecord> reader(int id) {
    try {
      String text =
          new ObjectMapper()
              .readTree(URI.create(registry + "/schemas/ids/" + id).toURL())
              .path("schema")
              .asText();
      return new GenericDatumReader<>(new Schema.Parser().parse(text));
    } catch (IOException error) {
      throw new UncheckedIOException(error);
    }
  }
}
