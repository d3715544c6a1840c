import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.time.LocalDate;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.apache.hadoop.conf.Configuration;
import org.apache.iceberg.*;
import org.apache.iceberg.data.BaseDeleteLoader;
import org.apache.iceberg.data.GenericAppenderFactory;
import org.apache.iceberg.data.GenericRecord;
import org.apache.iceberg.data.IcebergGenerics;
import org.apache.iceberg.data.InternalRecordWrapper;
import org.apache.iceberg.data.Record;
import org.apache.iceberg.data.parquet.GenericParquetReaders;
import org.apache.iceberg.deletes.BaseDVFileWriter;
import org.apache.iceberg.deletes.EqualityDeleteWriter;
import org.apache.iceberg.deletes.PositionDelete;
import org.apache.iceberg.deletes.PositionDeleteWriter;
import org.apache.iceberg.expressions.Expressions;
import org.apache.iceberg.expressions.Literal;
import org.apache.iceberg.hadoop.HadoopFileIO;
import org.apache.iceberg.io.CloseableIterable;
import org.apache.iceberg.io.DataWriter;
import org.apache.iceberg.io.FileIO;
import org.apache.iceberg.io.OutputFileFactory;
import org.apache.iceberg.parquet.Parquet;
import org.apache.iceberg.types.Type;
import org.apache.iceberg.types.Types;

/** One table by Iceberg's own library: reads a command of JSON from each line, answers where the metadata is, or rows. */
public class Oracle {
  static final FileIO IO = new HadoopFileIO(new Configuration());
  static final ObjectMapper JSON = new ObjectMapper();
  static Ops ops;
  static Table table;

  /** A table without a catalog: what was committed last is what it is. */
  static class Ops extends BaseMetastoreTableOperations {
    String at;

    Ops(String at) {
      this.at = at;
    }

    @Override
    protected String tableName() {
      return "recorded";
    }

    @Override
    public FileIO io() {
      return IO;
    }

    @Override
    protected void doRefresh() {
      refreshFromMetadataLocation(at);
    }

    @Override
    protected void doCommit(TableMetadata base, TableMetadata metadata) {
      at = writeNewMetadata(metadata, currentVersion() + 1);
    }
  }

  public static void main(String[] arguments) throws Exception {
    BufferedReader commands = new BufferedReader(new InputStreamReader(System.in));
    for (String line = commands.readLine(); line != null; line = commands.readLine()) {
      JsonNode command = JSON.readTree(line);
      ObjectNode answer = JSON.createObjectNode();
      switch (command.get("do").asText()) {
        case "create" -> create(command);
        case "load" -> open(command.get("at").asText());
        case "append" -> append(command);
        case "values" -> deleteValues(command);
        case "positions" -> deletePositions(command);
        case "schema" -> changeSchema(command);
        case "spec" -> changeSpec(command);
        case "read" -> answer.set("rows", rows());
        default -> throw new IllegalArgumentException(line);
      }
      System.out.println(JSON.writeValueAsString(answer.put("at", ops.at)));
    }
  }

  static void create(JsonNode command) {
    Schema schema = SchemaParser.fromJson(command.get("schema"));
    String location = command.get("location").asText();
    Map<String, String> properties = Map.of("format-version", command.get("version").asText());
    Ops first = new Ops(null);
    PartitionSpec spec = PartitionSpec.unpartitioned();
    first.doCommit(null, TableMetadata.newTableMetadata(schema, spec, SortOrder.unsorted(), location, properties));
    open(first.at);
  }

  static void open(String at) {
    ops = new Ops(at);
    table = new BaseTable(ops, "recorded");
  }

  static void append(JsonNode command) throws IOException {
    RowDelta delta = table.newRowDelta();
    GenericAppenderFactory writers = new GenericAppenderFactory(table.schema(), table.spec());
    for (Group group : groups(command.get("rows"), table.spec(), table.schema())) {
      DataWriter<Record> writer =
          writers.newDataWriter(group.file(), FileFormat.PARQUET, group.partition);
      try (writer) {
        group.rows.forEach(writer::write);
      }
      delta.addRows(writer.toDataFile());
    }
    delta.commit();
  }

  /** Delete the rows that have, in the columns "by", the values of one of "rows"; the files have "columns". */
  static void deleteValues(JsonNode command) throws IOException {
    boolean everywhere = command.path("everywhere").asBoolean();
    PartitionSpec spec =
        everywhere
            ? table.specs().values().stream().filter(PartitionSpec::isUnpartitioned).findFirst().get()
            : table.spec();
    Schema schema = table.schema().select(texts(command.get("columns")));
    int[] ids = texts(command.get("by")).stream().mapToInt(name -> schema.findField(name).fieldId()).toArray();
    GenericAppenderFactory writers = new GenericAppenderFactory(table.schema(), spec, ids, schema, null);
    RowDelta delta = table.newRowDelta();
    for (Group group : groups(command.get("rows"), spec, schema)) {
      EqualityDeleteWriter<Record> writer =
          writers.newEqDeleteWriter(group.file(), FileFormat.PARQUET, group.partition);
      try (writer) {
        group.rows.forEach(writer::write);
      }
      delta.addDeletes(writer.toDeleteFile());
    }
    delta.commit();
  }

  /** Delete the rows whose "column" has a "value": by vectors from version 3 on, else by files of positions. */
  static void deletePositions(JsonNode command) throws IOException {
    boolean vectors = ops.current().formatVersion() > 2;
    RowDelta delta = table.newRowDelta().validateFromSnapshot(table.currentSnapshot().snapshotId());
    Map<String, List<DeleteFile>> before = new HashMap<>();
    BaseDVFileWriter writer = vectors ? new BaseDVFileWriter(files(), path -> loaded(before, path)) : null;
    try (CloseableIterable<FileScanTask> tasks = table.newScan().planFiles()) {
      for (FileScanTask task : tasks) {
        String path = task.file().location();
        before.put(
            path,
            task.deletes().stream().filter(file -> file.content() == FileContent.POSITION_DELETES).toList());
        List<Long> places = places(path, command);
        if (vectors) {
          places.forEach(place -> writer.delete(path, place, task.spec(), task.partition()));
        } else if (!places.isEmpty()) {
          delta.addDeletes(positions(path, places, task));
        }
      }
    }
    if (vectors) {
      writer.close();
      writer.result().deleteFiles().forEach(delta::addDeletes);
      writer.result().rewrittenDeleteFiles().forEach(delta::removeDeletes);
    }
    delta.commit();
  }

  static org.apache.iceberg.deletes.PositionDeleteIndex loaded(Map<String, List<DeleteFile>> before, String path) {
    List<DeleteFile> files = before.getOrDefault(path, List.of());
    BaseDeleteLoader loader = new BaseDeleteLoader(file -> IO.newInputFile(file.location()));
    return files.isEmpty() ? null : loader.loadPositionDeletes(files, path);
  }

  static List<Long> places(String path, JsonNode command) throws IOException {
    Types.NestedField column = table.schema().findField(command.get("column").asText());
    Object wanted = value(command.get("value"), column.type());
    Schema schema = new Schema(column, MetadataColumns.ROW_POSITION);
    List<Long> found = new ArrayList<>();
    try (CloseableIterable<Record> rows =
        Parquet.read(IO.newInputFile(path))
            .project(schema)
            .createReaderFunc(stored -> GenericParquetReaders.buildReader(schema, stored, Map.of()))
            .build()) {
      for (Record row : rows) {
        if (Objects.equals(row.get(0), wanted)) {
          found.add((Long) row.get(1));
        }
      }
    }
    return found;
  }

  static DeleteFile positions(String path, List<Long> places, FileScanTask task) throws IOException {
    StructLike partition = task.spec().isUnpartitioned() ? null : task.partition();
    PositionDeleteWriter<Record> writer =
        new GenericAppenderFactory(table.schema(), task.spec())
            .newPosDeleteWriter(
                new Group(task.spec(), partition, List.of()).file(), FileFormat.PARQUET, partition);
    try (writer) {
      PositionDelete<Record> delete = PositionDelete.create();
      places.forEach(place -> writer.write(delete.set(path, place, null)));
    }
    return writer.toDeleteFile();
  }

  static void changeSchema(JsonNode command) {
    UpdateSchema update = table.updateSchema();
    if (command.has("rename")) {
      update.renameColumn(command.get("rename").asText(), command.get("to").asText());
    }
    if (command.has("widen")) {
      update.updateColumn(command.get("widen").asText(), Types.LongType.get());
    }
    if (command.has("drop")) {
      update.deleteColumn(command.get("drop").asText());
    }
    if (command.has("add") && command.has("default")) {
      Literal<?> before = Literal.of(command.get("default").asText());
      update.addColumn(command.get("add").asText(), Types.StringType.get(), "", before);
    } else if (command.has("add")) {
      update.addColumn(command.get("add").asText(), Types.StringType.get());
    }
    update.commit();
  }

  static void changeSpec(JsonNode command) {
    UpdatePartitionSpec update = table.updateSpec();
    if (command.has("remove")) {
      update.removeField(command.get("remove").asText());
    } else {
      update.addField(Expressions.month(command.get("month").asText()));
    }
    update.commit();
  }

  static ArrayNode rows() throws IOException {
    ArrayNode found = JSON.createArrayNode();
    try (CloseableIterable<Record> rows = IcebergGenerics.read(table).build()) {
      for (Record row : rows) {
        ObjectNode shown = found.addObject();
        for (Types.NestedField field : table.schema().columns()) {
          Object value = row.getField(field.name());
          shown.put(field.name(), value == null ? null : value.toString());
        }
      }
    }
    return found;
  }

  /** Rows of one partition. */
  record Group(PartitionSpec spec, StructLike partition, List<Record> rows) {
    org.apache.iceberg.encryption.EncryptedOutputFile file() {
      return partition == null ? files().newOutputFile() : files().newOutputFile(spec, partition);
    }
  }

  static Iterable<Group> groups(JsonNode rows, PartitionSpec spec, Schema schema) {
    Map<String, Group> found = new LinkedHashMap<>();
    for (JsonNode row : rows) {
      StructLike partition = null;
      if (!spec.isUnpartitioned()) {
        PartitionKey key = new PartitionKey(spec, table.schema());
        key.partition(new InternalRecordWrapper(table.schema().asStruct()).wrap(record(row, table.schema())));
        partition = key;
      }
      Group empty = new Group(spec, partition, new ArrayList<>());
      found.computeIfAbsent(String.valueOf(partition), name -> empty).rows.add(record(row, schema));
    }
    return found.values();
  }

  static Record record(JsonNode row, Schema schema) {
    Record record = GenericRecord.create(schema);
    schema.columns().forEach(field -> record.setField(field.name(), value(row.get(field.name()), field.type())));
    return record;
  }

  static Object value(JsonNode value, Type type) {
    if (value == null || value.isNull()) {
      return null;
    }
    return switch (type.typeId()) {
      case INTEGER -> value.asInt();
      case LONG -> value.asLong();
      case DATE -> LocalDate.parse(value.asText());
      default -> value.asText();
    };
  }

  static OutputFileFactory files() {
    return OutputFileFactory.builderFor(table, 1, System.nanoTime()).format(FileFormat.PARQUET).build();
  }

  static List<String> texts(JsonNode values) {
    List<String> found = new ArrayList<>();
    values.forEach(value -> found.add(value.asText()));
    return found;
  }
}
