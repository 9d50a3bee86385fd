//! Services whose ports should not be open to the Internet, with the ids of other tools' checks.
//!
//! A check of this table is one question: does any public source reach one of these ports? The answer is exact, so the table
//! needs nothing but ports.

use palisade_net::{PortSet, Protocol};

use super::checks::{Check, Severity};

/// A service and its ports.
#[derive(Debug, Clone, Copy)]
pub struct Service {
    /// The check.
    pub check: Check,
    /// Its name.
    pub name: &'static str,
    /// TCP ports.
    pub tcp: &'static [u16],
    /// UDP ports.
    pub udp: &'static [u16],
    /// Whether it manages the machine. Others are not told apart where every port is open.
    pub is_management: bool,
}

impl Service {
    /// Its ports of a protocol.
    pub fn ports(&self, protocol: Protocol) -> PortSet {
        let ports = match protocol {
            Protocol::TCP => self.tcp,
            Protocol::UDP => self.udp,
            _ => &[],
        };
        ports.iter().map(|port| (*port, *port)).collect()
    }
}

const CLOSE: &str = "Allow it from the addresses that administer it only, or reach it through a bastion or just-in-time access.";
const KEEP_IN: &str =
    "Allow it from the machines that use it only: data services have no business on the Internet.";
const IF_MEANT: &str =
    "Nothing, if it is meant for everyone; otherwise name the addresses that it is meant for.";

macro_rules! services {
    ($( $id:literal, $severity:ident, $name:literal, $remedy:ident, $management:literal,
        tcp $tcp:expr, udp $udp:expr, [$($alias:literal),* $(,)?]; )+) => {
        /// Every service.
        pub static SERVICES: &[Service] = &[$(Service {
            check: Check {
                id: concat!("PAL-EXPOSURE-", $id),
                title: concat!("Public addresses reach ", $name),
                severity: Severity::$severity,
                remedy: $remedy,
                aliases: &[$($alias),*],
            },
            name: $name,
            tcp: &$tcp,
            udp: &$udp,
            is_management: $management,
        }),+];
    };
}

services! {
    "RDP", Error, "RDP", CLOSE, true, tcp [3389], udp [3389],
        ["CKV_AZURE_9", "AVD-AZU-0048", "594c198b-4d79-41b8-9b36-fde13348b619", "e9dee01f-2505-4df2-b9bf-7804d1fd9082",
         "network_security_group_with_unrestricted_access_to_rdp", "network_rdp_internet_access_restricted",
         "network-security-groups-rule-inbound-service", "openRDP", "network_security_group_rdp_access_restricted",
         "disable-rdp-from-internet", "deny-public-rdp-nsg-rules", "Deny-MgmtPorts-From-Internet"];
    "SSH", Error, "SSH", CLOSE, true, tcp [22], udp [],
        ["CKV_AZURE_10", "AVD-AZU-0050", "594c198b-4d79-41b8-9b36-fde13348b619", "e9dee01f-2505-4df2-b9bf-7804d1fd9082",
         "network_security_group_with_unrestricted_access_to_ssh", "network_ssh_internet_access_restricted",
         "network-security-groups-rule-inbound-service", "openSSH", "network_security_group_ssh_access_restricted",
         "Deny-MgmtPorts-From-Internet"];
    "WINRM", Error, "WinRM", CLOSE, true, tcp [5985, 5986], udp [],
        ["AVD-AZU-0074"];
    "VNC", Error, "VNC", CLOSE, true, tcp [5500, 5800, 5900, 5901], udp [],
        ["openVNCClient", "openVNCServer"];
    "TELNET", Error, "Telnet", CLOSE, true, tcp [23], udp [],
        ["openTelnet", "594c198b-4d79-41b8-9b36-fde13348b619"];
    "SALT", Error, "Salt", CLOSE, true, tcp [4505, 4506], udp [], ["openSalt"];
    "DOCKER", Error, "the Docker API", CLOSE, true, tcp [2375, 2376], udp [], ["openDocker"];
    "KUBERNETES", Error, "the Kubernetes API or kubelet", CLOSE, true, tcp [6443, 10250, 10255], udp [], [];
    "RPC", Error, "Windows RPC", CLOSE, true, tcp [135], udp [135], ["openRPC"];
    "SMB", Error, "SMB", KEEP_IN, false, tcp [445], udp [445], ["openCIFS", "openSMBoTCP"];
    "NETBIOS", Error, "NetBIOS", KEEP_IN, false, tcp [137, 138, 139], udp [137, 138, 139], ["openNetBIOS"];
    "SQL-SERVER", Error, "SQL Server", KEEP_IN, false, tcp [1433], udp [1434],
        ["network-security-groups-rule-inbound-service-mssql", "openSQLServer"];
    "MYSQL", Error, "MySQL", KEEP_IN, false, tcp [3306, 4333], udp [], ["openMySQL"];
    "POSTGRESQL", Error, "PostgreSQL", KEEP_IN, false, tcp [5432], udp [], ["openPostgreSQL"];
    "ORACLE", Error, "Oracle", KEEP_IN, false, tcp [1521, 1522, 2483, 2484], udp [],
        ["openOracle", "openOracleAutoDataWarehouse"];
    "MONGODB", Error, "MongoDB", KEEP_IN, false, tcp [27017, 27018, 27019], udp [], ["openMongoDB"];
    "REDIS", Error, "Redis", KEEP_IN, false, tcp [6379, 6380], udp [], ["openRedis"];
    "MEMCACHED", Error, "Memcached", KEEP_IN, false, tcp [11211], udp [11211], ["openMemcached"];
    "ELASTICSEARCH", Error, "Elasticsearch", KEEP_IN, false, tcp [9200, 9300], udp [], ["openElasticsearch"];
    "KIBANA", Error, "Kibana", KEEP_IN, false, tcp [5601], udp [], ["openKibana"];
    "CASSANDRA", Error, "Cassandra", KEEP_IN, false, tcp [7000, 7001, 7199, 9042, 9160], udp [],
        ["openCassandraClient", "openCassandraInternode", "openCassandraMonitoring", "openCassandraThrift"];
    "HADOOP", Error, "Hadoop's name node", KEEP_IN, false, tcp [8020, 9000, 50070, 50470], udp [],
        ["openHadoopNameNode", "openHadoopNameNodeWebUI"];
    "LDAP", Error, "LDAP", KEEP_IN, false, tcp [389, 636, 3268, 3269], udp [389], ["openLDAP", "openLDAPS"];
    "SNMP", Error, "SNMP", KEEP_IN, false, tcp [], udp [161, 162], ["openSNMP"];
    "NFS", Error, "NFS", KEEP_IN, false, tcp [111, 2049], udp [111, 2049], [];
    "ETCD", Error, "etcd", KEEP_IN, false, tcp [2379, 2380], udp [], [];
    "FTP", Warning, "FTP", KEEP_IN, false, tcp [20, 21], udp [], ["openFTP"];
    "DNS", Warning, "DNS", IF_MEANT, false, tcp [53], udp [53], ["openDNS"];
    "SMTP", Warning, "SMTP", IF_MEANT, false, tcp [25], udp [], ["openSMTP"];
    "INTERNAL-WEB", Warning, "an internal web service", IF_MEANT, false, tcp [8000, 8080, 8443, 8888], udp [],
        ["openInternalWeb"];
    "HTTP", Note, "HTTP", IF_MEANT, false, tcp [80], udp [],
        ["CKV_AZURE_160", "openHTTP", "network_http_internet_access_restricted",
         "network_security_group_http_access_restricted"];
    "HTTPS", Note, "HTTPS", IF_MEANT, false, tcp [443], udp [443], ["openHTTPS"];
}
