// Makes a replica set of this one server, unless it is one already; run by mongosh, any number of times.
try {
  rs.status();
  print("the replica set is there");
} catch (error) {
  if (error.codeName !== "NotYetInitialized") throw error;
  rs.initiate({ _id: "rs0", members: [{ _id: 0, host: "mongo:27017" }] });
  print("the replica set is made");
}
