-- One database for each service: neither reads the other's.
CREATE DATABASE licensing;
CREATE DATABASE numbers;
