import java.nio.file.Files;
import java.nio.file.Path;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.table.api.StatementSet;
import org.apache.flink.table.api.bridge.java.StreamTableEnvironment;

/**
 * Runs statements of Flink SQL in a mini-cluster of this process until their bounded sources have ended.
 *
 * <p>Arguments: a file with statements, each ended by a line of a single semicolon, the last an INSERT; then settings as
 * name=value.
 */
public final class FlinkPeer {
  public static void main(String[] arguments) throws Exception {
    Configuration configuration = new Configuration();
    for (int number = 1; number < arguments.length; number++) {
      String[] setting = arguments[number].split("=", 2);
      configuration.setString(setting[0], setting[1]);
    }
    StreamExecutionEnvironment environment =
        StreamExecutionEnvironment.getExecutionEnvironment(configuration);
    StreamTableEnvironment tables = StreamTableEnvironment.create(environment);
    StatementSet inserts = tables.createStatementSet();
    for (String statement : Files.readString(Path.of(arguments[0])).split("\n;\n")) {
      if (statement.stripLeading().startsWith("INSERT")) {
        inserts.addInsertSql(statement);
      } else if (!statement.isBlank()) {
        tables.executeSql(statement);
      }
    }
    inserts.execute().await();
    // Threads of the mini-cluster need not be waited for.
    System.exit(0);
  }
}
